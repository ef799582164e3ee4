/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gallery.h: the control plane's extension packages: publishing and choosing a version.
 *
 * <packages>/<sha256>.zip is the package as it was given, .zip.sig our detached CMS over it,
 * .zip.publisher.sig the publisher's own when there was one.
 */
#ifndef MOOR_ENGINE_GALLERY_H
#define MOOR_ENGINE_GALLERY_H

#include "base/arena.h"
#include "crypto/cert.h"
#include "crypto/key.h"
#include "engine/package.h"
#include "store/packages.h"
#include "store/store.h"

struct moor_publish {
    const char *packages_dir;
    const struct moor_cert *gallery_cert;
    const struct moor_key *gallery_key;
    const char *zip_path;           /* absolute */
    const char *signature_path;     /* the publisher's CMS, DER; NULL = none */
    struct moor_package_name asked; /* "" = from the package */
    int64_t now_ms;
};

/* Copies, checks, signs and lists a package; the same one again is fine. BADINPUT when it is no
 * package, EXISTS when this version is published with other bytes. Strings of out live in the
 * arena. Blocking; does its own transaction. */
MOOR_NODISCARD moor_code moor_gallery_publish(struct moor_store *s, const struct moor_publish *p,
                                              struct moor_arena *arena, struct moor_package *out,
                                              struct moor_error *err);

/*
 * Which published version a request means. asked: "" any; one or two parts ("1.0") the highest
 * that starts so, or with auto_minor the highest of the same major that is not lower; three or
 * four parts that version, or the highest that starts so. Pure.
 */
bool moor_version_wanted(const char *asked, bool auto_minor, const char *candidate);
const struct moor_package *moor_gallery_choose(const struct moor_package_list *list,
                                               const char *asked, bool auto_minor);

/* Base64 of <packages>/<sha256>.zip<suffix>, in the arena. */
#define MOOR_GALLERY_SIGNATURE   ".sig"
#define MOOR_PUBLISHER_SIGNATURE ".publisher.sig"
MOOR_NODISCARD moor_code moor_gallery_signature(const char *packages_dir, const char *sha256,
                                                const char *suffix, struct moor_arena *arena,
                                                const char **base64, struct moor_error *err);

#endif
