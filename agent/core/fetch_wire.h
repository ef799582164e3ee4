/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch_wire.h: what the extensions role and the fetch role say to each other over a socket pair:
 * docs/protocol/fetch.md. A message is a JSON object, a line feed, and bytes: a token or a piece
 * of a body. Both ends use this file; neither believes the other.
 */
#ifndef MOOR_CORE_FETCH_WIRE_H
#define MOOR_CORE_FETCH_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/jsontab.h"
#include "base/secret.h"
#include "base/span.h"
#include "platform/file.h"

#define MOOR_FETCH_MESSAGE_MAX (64 * 1024)
#define MOOR_FETCH_CHUNK       (32 * 1024) /* bytes of a body in one message */
#define MOOR_FETCH_CALLS_MAX   8

typedef enum moor_fetch_type {
    MOOR_FETCH_HELLO,   /* parent: the client's settings, first of all; the proxy's password */
    MOOR_FETCH_REQUEST, /* parent: a request; its payload is the bearer token */
    MOOR_FETCH_BODY,    /* either: a piece of a body */
    MOOR_FETCH_CANCEL,  /* parent: forget the request */
    MOOR_FETCH_ANSWER,  /* fetch: head of the answer */
    MOOR_FETCH_ERROR    /* fetch: there is no answer */
} moor_fetch_type;

/* name and value of one HTTP header */
struct moor_fetch_header {
    const char *name, *value;
};

/* All messages in one struct; absent members are NULL, 0, false. */
struct moor_fetch_message {
    int type;
    uint64_t id; /* the parent counts its requests from 1 */
    const char *ca_file, *proxy, *no_proxy, *proxy_ca_file, *proxy_setting, *proxy_problem;
    bool direct_to_self;
    const char *method, *url, *content_type, *content_encoding;
    struct moor_obj_list headers; /* struct moor_fetch_header */
    uint64_t timeout_ms, connect_timeout_ms, body_max, offset, sink_max;
    uint32_t redirects_max;
    bool public_only;
    bool bearer;          /* the payload of the request is a token */
    uint64_t body_length; /* sum of the body messages that follow a request or an answer */
    uint32_t status, retry_after_ms;
    uint64_t received;
    const char *request_id;
    uint32_t code; /* moor_code */
    const char *message;
};

/* Appends the JSON and the line feed to out. */
void moor_fetch_encode(struct moor_buf *out, const struct moor_fetch_message *m);

/* payload borrows from text. PROTOCOL when the message breaks a rule. */
MOOR_NODISCARD moor_code moor_fetch_decode(struct moor_span text, struct moor_fetch_message *out,
                                           struct moor_span *payload, struct moor_arena *arena,
                                           struct moor_error *err);

/* One end of the pair on a loop, with a queue for when the other end is slow. */
struct moor_loop;
struct moor_fetch_link;
struct moor_fetch_link_opts {
    /* passed is the caller's to move out of. May free the link. */
    void (*on_message)(void *ctx, const struct moor_fetch_message *m, struct moor_span payload,
                       struct plat_file *passed);
    /* The other end is gone or broke a rule (err). Nothing follows; free the link. */
    void (*on_gone)(void *ctx, const struct moor_error *err);
    void *ctx;
};
/* Takes socket over. */
MOOR_NODISCARD moor_code moor_fetch_link_new(struct moor_loop *l, struct plat_file *socket,
                                             const struct moor_fetch_link_opts *opts,
                                             struct moor_fetch_link **out, struct moor_error *err);
void moor_fetch_link_free(struct moor_fetch_link *k);
MOOR_DEFINE_AUTOPTR(moor_fetch_link)

/* Sends or queues; pass is borrowed until the message left, at the latest until the link is freed.
 * NOMEM when the queue is full. Never calls back. */
MOOR_NODISCARD moor_code moor_fetch_link_send(struct moor_fetch_link *k,
                                              const struct moor_fetch_message *m,
                                              struct moor_span payload,
                                              const struct plat_file *pass, struct moor_error *err);
/* Drops queued messages that were to pass this descriptor, which is about to be closed. */
void moor_fetch_link_forget(struct moor_fetch_link *k, const struct plat_file *pass);
/* body in pieces, for the given id. */
MOOR_NODISCARD moor_code moor_fetch_link_body(struct moor_fetch_link *k, uint64_t id,
                                              struct moor_span body, struct moor_error *err);

#endif
