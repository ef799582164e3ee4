/* SPDX-License-Identifier: Apache-2.0 */
/* mooring extension check: says what is wrong with a package before it is published. */
#include <string.h>

#include "base/buf.h"
#include "cli/cli.h"
#include "crypto/cert.h"
#include "crypto/cms.h"
#include "platform/self.h"
#include "sdk/check.h"

struct check_options {
    const char *signature, *trust;
    bool strict;
};
static const struct moor_option check_options[] = {
    { "signature", 0, "FILE", offsetof(struct check_options, signature),
      "its publisher's signature: detached CMS, DER" },
    { "trust", 0, "FILE", offsetof(struct check_options, trust),
      "the certificate it must lead to: PEM" },
    { "strict", 0, NULL, offsetof(struct check_options, strict), "warnings count as errors" },
    { NULL, 0, NULL, 0, NULL },
};

struct judgement {
    struct moor_cli *cli;
    struct moor_json *findings;
    unsigned counts[MOOR_SEVERITY_NOTE + 1];
};

static void on_finding(void *ctx, const struct moor_finding *f)
{
    struct judgement *j = ctx;
    j->counts[f->severity]++;
    struct moor_json *o = moor_json_push(j->findings, moor_json_new_object());
    moor_json_set_str(o, "rule", f->rule);
    moor_json_set_str(o, "severity", moor_severity_name(f->severity));
    moor_json_set_str(o, "file", f->file);
    moor_json_set_str(o, "message", f->message);
    moor_json_set_str(o, "remedy", f->remedy);
    if (j->cli->json)
        return;
    MOOR_AUTO(moor_buf) line = MOOR_BUF(8192); /* names of entries are anybody's */
    moor_buf_fmt(&line, "%s: %s%s%s [%s]: %s", moor_severity_name(f->severity), f->file,
                 *f->file ? ": " : "", f->message, f->rule, f->remedy);
    for (size_t n = 0; n < line.len; n++)
        if ((unsigned char)line.data[n] < ' ' || line.data[n] == 0x7F)
            line.data[n] = '?';
    moor_say("%s\n", moor_buf_cstr(&line));
}

/* Whether the publisher's signature is what a machine that trusts that certificate takes. */
static moor_code check_signature(struct judgement *j, const struct check_options *o,
                                 const struct plat_file *zip, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) der = MOOR_BUF(MOOR_INPUT_MAX);
    MOOR_AUTO(moor_buf) pem = MOOR_BUF(MOOR_INPUT_MAX);
    MOOR_AUTOPTR(moor_cert) root = NULL;
    struct moor_error why = MOOR_ERROR_INIT;
    moor_code c = moor_read_input(o->signature, &der, err);
    if (c == MOOR_OK)
        c = moor_read_input(o->trust, &pem, err);
    if (c == MOOR_OK)
        c = moor_cert_from_pem(moor_buf_view(&pem), &root, err);
    if (c != MOOR_OK)
        return c;
    const struct moor_cert *const roots[] = { root };
    if (moor_cms_verify_file(moor_buf_view(&der), zip, roots, 1, &why) == MOOR_OK)
        return MOOR_OK;
    const struct moor_finding f = { "signature", MOOR_SEVERITY_ERROR, "", why.msg,
                                    "sign these bytes, with a certificate for code signing" };
    on_finding(j, &f);
    return MOOR_OK;
}

static void say_end(const struct judgement *j, const char *path, const struct moor_check_name *n)
{
    if (!j->cli->json) {
        moor_say("%s: %s%s%s %s: %u errors, %u warnings, %u notes\n", path, n->publisher,
                 *n->publisher ? "." : "no name", n->type, n->version,
                 j->counts[MOOR_SEVERITY_ERROR], j->counts[MOOR_SEVERITY_WARNING],
                 j->counts[MOOR_SEVERITY_NOTE]);
        return;
    }
    MOOR_AUTOPTR(moor_json) v = moor_json_new_object();
    moor_json_set_str(v, "package", path);
    moor_json_set_str(v, "publisher", n->publisher);
    moor_json_set_str(v, "type", n->type);
    moor_json_set_str(v, "version", n->version);
    moor_json_set_int(v, "errors", j->counts[MOOR_SEVERITY_ERROR]);
    moor_json_set_int(v, "warnings", j->counts[MOOR_SEVERITY_WARNING]);
    moor_json_set(v, "findings", moor_json_copy(j->findings));
    moor_say_json(v);
}

static moor_azcm run_check(struct moor_cli *cli, const void *options,
                           const struct moor_words *words)
{
    const struct check_options *o = options;
    MOOR_AUTO(plat_file) zip = PLAT_FILE_INIT;
    MOOR_AUTOSTR path = NULL;
    MOOR_AUTOPTR(moor_json) findings = moor_json_new_array();
    struct judgement j = { .cli = cli, .findings = findings };
    struct moor_check_name name;
    struct moor_error err = MOOR_ERROR_INIT;
    if (!o->signature != !o->trust)
        return moor_cli_refuse(cli, AZCM_MISSING_PARAMETER, "--signature and --trust: give both");
    moor_code c = plat_absolute_path(words->items[0], &path, &err);
    if (c == MOOR_OK)
        c = plat_open_followed(path, &zip, NULL, &err);
    if (c == MOOR_OK)
        c = moor_check_package(&zip, strrchr(path, '/') + 1, on_finding, &j, &name, &err);
    if (c == MOOR_OK && o->signature)
        c = check_signature(&j, o, &zip, &err);
    if (c != MOOR_OK)
        return moor_cli_fail(cli, AZCM_EXTENSION_TOOL, &err, NULL);
    say_end(&j, path, &name);
    bool bad =
        j.counts[MOOR_SEVERITY_ERROR] > 0 || (o->strict && j.counts[MOOR_SEVERITY_WARNING] > 0);
    return bad ? AZCM_EXTENSION_TOOL : AZCM_OK;
}

const struct moor_verb moor_verb_extension_check = {
    .name = "extension check",
    .words = "ZIP",
    .summary = "judge an extension's package before it is published",
    .text =
        "Everything that is against the handler contract, with what to do about it: errors are\n"
        "refused by machines or cannot work, warnings fail on some of them. Neither rights nor\n"
        "a connection are needed, and nothing of the package is run. Exit status 72 when there\n"
        "are errors.\n",
    .options = check_options,
    .options_size = sizeof(struct check_options),
    .words_min = 1,
    .words_max = 1,
    .run = run_check,
};
