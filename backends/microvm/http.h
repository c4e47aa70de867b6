/*
 * The little of HTTP/1.1 (RFC 9112) that a machine's program speaks on its Unix socket: a request,
 * then an answer of a known length, one at a time on one connection. Whoever has taken the program
 * over answers too: everything is bounded, and a connection that cannot be understood is dead for
 * good.
 */
#ifndef COFFERDAM_BACKENDS_MICROVM_HTTP_H
#define COFFERDAM_BACKENDS_MICROVM_HTTP_H

#include "base/error.h"
#include "base/str.h"

enum { HTTP_HEAD_MAX = 8 * 1024, HTTP_BODY_MAX = 256 * 1024 };

struct http_head {
    unsigned status;
    size_t size; /* of the head, with the empty line */
    size_t body; /* bytes that follow it */
    bool last;   /* the connection ends behind it */
};

/* Pure. 1: there it is; 0: more is needed; -EPROTO: no answer, or none that is read here. */
int http_head_read(const char *data, size_t size, struct http_head *ret);

struct http;

/* Takes `socket`, also on failure. NULL with errno. */
struct http *http_new(int socket);
void http_free(struct http *h); /* NULL is fine */
int http_fd(
    const struct http *h); /* readable: an answer, it is gone, or nobody asked; FD_NONE: dead */
void http_dispatch(struct http *h); /* finds out which */

/*
 * Sends a request and does not wait for its answer: that comes as `answered` from http_dispatch(),
 * or from a call that has to wait for it first. `body` as http_call()'s, borrowed. -EBUSY: one is
 * due already; -EPIPE.
 */
typedef void http_answer_fn(void *data, unsigned status, const char *body);
int http_ask(struct http *h, const char *method, const char *path, const char *body,
             http_answer_fn *answered, void *data);
/* Gives an answer that is due at most so long to come; it may come later too. */
void http_await(struct http *h, int timeout_ms);

/*
 * Sends a request (`body` NULL: without one) and waits for its answer, at most `timeout_ms`.
 * `*ret_body` is owned by the caller, NUL-terminated, "" where there is none; a NUL inside it is
 * -EPROTO. -ETIMEDOUT, -EPIPE: the other end is gone, -EPROTO; `e` does not name the request.
 */
int http_call(struct http *h, const char *method, const char *path, const char *body,
              int timeout_ms, unsigned *ret_status, char **ret_body, struct error *e);

#endif
