/* The HTTP API of a machine's program, as its driver's control channel (driver.h). */
#ifndef COFFERDAM_BACKENDS_MICROVM_API_H
#define COFFERDAM_BACKENDS_MICROVM_API_H

#include "backends/microvm/http.h"

struct api;

/* One request of a sequence. */
struct api_request {
    const char *method; /* static */
    char *path;         /* owned */
    char *body;         /* owned; JSON; NULL: none */
};
struct api_requests {
    struct api_request *list; /* owned */
    size_t count;
};
void api_requests_done(struct api_requests *r);
/* Takes `body`, a json_t (or NULL). */
void api_requests_add(struct api_requests *r, const char *method, const char *path, void *body);

/*
 * A rate limiter as Firecracker and Cloud Hypervisor have it, a json_t: as much a second, no more
 * at once. NULL: there is no bound. Pure; the caller's.
 */
void *api_rate_limiter(uint64_t bytes, uint64_t operations);

/* Takes `socket`, also on failure. NULL with errno. `name`: the program's, static, for errors. */
struct api *api_new(int socket, const char *name);
void api_free(struct api *a); /* NULL is fine */
int api_fd(const struct api *a);
void api_dispatch(struct api *a);

/*
 * -EIO with the request and what the program says is wrong (`fault_message` of Firecracker, else
 * what its answer is); -ETIMEDOUT, -EPIPE, -EPROTO likewise. `*ret_body` (or NULL) is the caller's.
 */
int api_call(struct api *a, const char *method, const char *path, const char *body, int timeout_ms,
             char **ret_body, struct error *e);
/*
 * Asks without waiting longer than `wait_ms`: what comes then, or later from api_dispatch() or
 * before the next call's answer, is `answered` with its body if it went well (NULL: nobody wants
 * it). While one is due nothing is asked. -EPIPE.
 */
typedef void api_answer_fn(void *data, const char *body);
int api_ask(struct api *a, const char *method, const char *path, const char *body, int wait_ms,
            api_answer_fn *answered, void *data, struct error *e);
/*
 * One that takes long: asks, and api_begun() tells from api_dispatch() on: 1 when it went well, 0
 * until then, or -errno as api_call(). -EBUSY: one is due.
 */
int api_begin(struct api *a, const char *method, const char *path, const char *body,
              struct error *e);
int api_begun(const struct api *a, struct error *e);
/* All of them, until one fails. */
int api_run(struct api *a, const struct api_requests *r, int timeout_ms, struct error *e);

#endif
