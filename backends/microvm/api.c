#include "backends/microvm/api.h"

#include "base/fd.h"

#include <jansson.h>

enum { API_TEXT_MAX = 200 };

struct api {
    const char *name;  /* static */
    struct http *http; /* owned */
    api_answer_fn *answered;
    void *data; /* of answered() */

    /* what was begun */
    char *what; /* owned; the request; NULL: nothing is due any more */
    struct error why;
};

void api_requests_done(struct api_requests *r)
{
    for (size_t i = 0; i < r->count; i++) {
        free(r->list[i].path);
        free(r->list[i].body);
    }
    free(r->list);
    *r = (struct api_requests){0};
}

static json_t *api_bucket(uint64_t size)
{
    enum { REFILL_MS = 1000 };
    return json_pack("{s:I, s:i}", "size", (json_int_t)MIN(size, (uint64_t)INT64_MAX),
                     "refill_time", REFILL_MS);
}

void *api_rate_limiter(uint64_t bytes, uint64_t operations)
{
    json_t *o = bytes || operations ? json_object() : NULL;
    if (bytes)
        json_object_set_new(o, "bandwidth", api_bucket(bytes));
    if (operations)
        json_object_set_new(o, "ops", api_bucket(operations));
    return o;
}

void api_requests_add(struct api_requests *r, const char *method, const char *path, void *body)
{
    r->list = mem_grow(r->list, r->count + 1, sizeof(r->list[0]));
    r->list[r->count++] = (struct api_request){
        .method = method,
        .path = str_dup(path),
        .body = body ? json_dumps(body, JSON_COMPACT) : NULL,
    };
    json_decref(body);
}

struct api *api_new(int socket, const char *name)
{
    struct http *h = http_new(socket);
    if (!h)
        return NULL;
    struct api *a = NEW(struct api);
    a->name = name;
    a->http = h;
    return a;
}

void api_free(struct api *a)
{
    if (!a)
        return;
    http_free(a->http);
    free(a->what);
    free(a);
}

int api_fd(const struct api *a)
{
    return http_fd(a->http);
}

void api_dispatch(struct api *a)
{
    http_dispatch(a->http);
}

/*
 * Firecracker: {"fault_message": "…"}. Cloud Hypervisor: a list of sentences, the outermost first,
 * or plain text. Owned; what it says is not trusted.
 */
static char *api_fault(const char *body)
{
    json_t *o = json_loads(body, JSON_REJECT_DUPLICATES, NULL);
    const char *text = json_string_value(json_object_get(o, "fault_message"));
    autobuf all = {0};
    const json_t *one;
    size_t i;
    if (text)
        buf_puts(&all, text);
    json_array_foreach(o, i, one)
    {
        if (json_is_string(one))
            buf_printf(&all, "%s%s", all.used ? ": " : "", json_string_value(one));
    }
    if (!all.used)
        buf_puts(&all, body);
    json_decref(o);
    autofree char *plain = buf_take(&all);
    return str_escape(plain, MIN(strcspn(plain, "\r\n"), (size_t)API_TEXT_MAX));
}

/* 0, or what was refused and why. */
static int api_verdict(const struct api *a, const char *what, unsigned status, const char *body,
                       struct error *e)
{
    if (status / 100 == 2)
        return 0;
    autofree char *fault = api_fault(body);
    return error_set(e, EIO, "%s: %s: %s%s(%u)", a->name, what, fault, *fault ? " " : "", status);
}

int api_call(struct api *a, const char *method, const char *path, const char *body, int timeout_ms,
             char **ret_body, struct error *e)
{
    unsigned status = 0;
    autofree char *answer = NULL;
    int r = http_call(a->http, method, path, body, timeout_ms, &status, &answer, e);
    if (r < 0) {
        error_wrap(e, "%s: %s %s", a->name, method, path);
        return r;
    }
    autofree char *what = str_format("%s %s", method, path);
    r = api_verdict(a, what, status, answer, e);
    if (r == 0 && ret_body)
        *ret_body = TAKE(answer);
    return r;
}

static void api_answered(void *data, unsigned status, const char *body)
{
    struct api *a = data;
    if (status / 100 == 2 && a->answered)
        a->answered(a->data, body);
}

int api_ask(struct api *a, const char *method, const char *path, const char *body, int wait_ms,
            api_answer_fn *answered, void *data, struct error *e)
{
    int r = http_ask(a->http, method, path, body, api_answered, a);
    if (r < 0)
        return r == -EBUSY ? 0 : error_errno(e, -r, "%s: %s %s", a->name, method, path);
    a->answered = answered;
    a->data = data;
    http_await(a->http, wait_ms);
    return 0;
}

static void api_ended(void *data, unsigned status, const char *body)
{
    struct api *a = data;
    autofree char *what = TAKE(a->what);
    a->why = (struct error){0};
    api_verdict(a, what, status, body, &a->why);
}

int api_begin(struct api *a, const char *method, const char *path, const char *body,
              struct error *e)
{
    autofree char *what = str_format("%s %s", method, path);
    int r = http_ask(a->http, method, path, body, api_ended, a);
    if (r < 0)
        return error_errno(e, -r, "%s: %s", a->name, what);
    free(a->what);
    a->what = TAKE(what);
    return 0;
}

int api_begun(const struct api *a, struct error *e)
{
    if (a->what && http_fd(a->http) >= 0)
        return 0;
    if (a->what)
        return error_set(e, EPIPE, "%s: %s: no answer", a->name, a->what);
    if (!a->why.code)
        return 1;
    *e = a->why;
    return -e->code;
}

int api_run(struct api *a, const struct api_requests *r, int timeout_ms, struct error *e)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < r->count; i++)
        result =
            api_call(a, r->list[i].method, r->list[i].path, r->list[i].body, timeout_ms, NULL, e);
    return result;
}
