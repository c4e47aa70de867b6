#include "app/plan/handler.h"

#include "base/str.h"

#include <string.h>

static const char handler_prefix[] = "containerd:";

void plan_handler_done(struct plan_handler *h)
{
    free(h->name);
    free(h->program);
    free(h->address);
    *h = (struct plan_handler){0};
}

bool plan_handler_is(const char *runtime)
{
    return str_equal(runtime, "kata") || str_starts(runtime, handler_prefix);
}

/* As containerd has them: words of letters and digits with dots and hyphens. */
static bool handler_is_name(const char *s)
{
    return *s &&
           strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") ==
               strlen(s) &&
           *s != '-' && *s != '.';
}

static int handler_word(struct plan_handler *h, const char *word, struct error *e)
{
    const char *value = strchr(word, '=');
    char **to = str_starts(word, "program=")   ? &h->program
                : str_starts(word, "address=") ? &h->address
                                               : NULL;
    if (!to || value[1] != '/' || *to || strpbrk(value, " \n\t"))
        return error_set(e, EINVAL,
                         "\"%.100s\": behind the handler of containerd come program=/PATH and "
                         "address=/SOCKET, once each",
                         word);
    *to = str_dup(value + 1);
    return 0;
}

int plan_handler_read(const char *runtime, struct plan_handler *ret, struct error *e)
{
    struct plan_handler h = {0};
    int r = 0;
    if (str_equal(runtime, "kata")) {
        h.name = str_dup(PLAN_HANDLER_KATA);
    } else if (!str_starts(runtime, handler_prefix)) {
        return error_set(e, EINVAL, "%.100s is no runtime of containerd's", runtime);
    } else {
        autostrv char **words = strv_split(runtime + strlen(handler_prefix), ",");
        h.name = str_dup(words && words[0] ? words[0] : "");
        if (!handler_is_name(h.name))
            r = error_set(e, EINVAL,
                          "\"%.100s\" is no handler of containerd's; one is " PLAN_HANDLER_RUNC,
                          h.name);
        for (size_t i = 1; r == 0 && words[i]; i++)
            r = handler_word(&h, words[i], e);
    }
    if (r == 0 && h.program && !str_equal(h.name, PLAN_HANDLER_RUNC))
        r = error_set(e, EINVAL, "program= goes with " PLAN_HANDLER_RUNC " alone");
    if (r < 0) {
        plan_handler_done(&h);
        return r;
    }
    if (!h.address)
        h.address = str_dup(PLAN_CONTAINERD_SOCKET);
    *ret = h;
    return 0;
}

bool plan_handler_has_kernel(const char *runtime)
{
    struct plan_handler h;
    struct error e;
    if (plan_handler_read(runtime, &h, &e) < 0)
        return false;
    bool own =
        str_starts(h.name, "io.containerd.kata.") || str_starts(h.name, "io.containerd.kata-") ||
        str_equal(h.name, "io.containerd.runsc.v1") || (h.program && str_ends(h.program, "/runsc"));
    plan_handler_done(&h);
    return own;
}
