#include "app/cli/inspect_parts.h"

#include "app/cli/live.h"
#include "app/cli/out.h"
#include "app/cli/plan_show.h"
#include "app/plan/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

void inspect_time(int64_t ms, char text[40])
{
    time_t seconds = ms / 1000;
    struct tm tm;
    strftime(text, 40, "%Y-%m-%d %H:%M:%S %z", localtime_r(&seconds, &tm));
}

/* --- consoles --------------------------------------------------------------------------------- */

static void console_line(const struct state_record *s, const json_t *one)
{
    int number = (int)json_integer_value(json_object_get(one, "console"));
    int viewers = (int)json_integer_value(json_object_get(one, "viewers"));
    const char *command = json_string_value(json_object_get(one, "command"));
    bool terminal = json_is_true(json_object_get(one, "terminal"));
    bool taken = json_is_true(json_object_get(one, "taken"));
    autofree char *shown = out_text(command ? command : s->command ? s->command : "");
    autofree char *seen = viewers ? str_format("%d viewer%s%s", viewers, viewers == 1 ? "" : "s",
                                               taken ? ", one of them types" : "")
                                  : str_dup("nobody looks");
    printf("  %-9s %s, %s: %s\n", number ? "beside it" : "main",
           terminal ? "a terminal" : "plain streams", seen, shown);
}

void inspect_consoles(const struct state_record *s, const json_t *list)
{
    if (!state_phase_lives(s->phase)) {
        puts("  it has ended, and its consoles with it; logs has what it wrote");
        return;
    }
    if (!list) {
        puts("  its monitor does not answer");
        return;
    }
    for (size_t i = json_array_size(list); i-- > 0;) /* the main one is told last */
        console_line(s, json_array_get(list, i));
}

/* --- events ----------------------------------------------------------------------------------- */

void inspect_events(const struct state_record *s)
{
    char when[40];
    inspect_time(s->created_ms, when);
    printf("  %s  created\n", when);
    for (size_t i = 0; s->events && s->events[i]; i++) {
        char *words;
        int64_t ms = strtoll(s->events[i], &words, 10);
        if (*words++ != ' ')
            continue;
        autofree char *shown = out_text(words);
        inspect_time(ms, when);
        printf("  %s  %s\n", when, shown);
    }
    if (s->phase == STATE_LOST)
        puts("  then its monitor was gone, without a word");
}

/* --- mounts ----------------------------------------------------------------------------------- */

static bool is_wish(const struct plan_mount *m)
{
    return m->origin != NULL;
}

static bool is_mount(const struct plan_mount *m)
{
    switch (m->kind) {
    case PLAN_MOUNT_OVERLAY:
    case PLAN_MOUNT_BIND:
    case PLAN_MOUNT_TMPFS:
    case PLAN_MOUNT_PROC:
    case PLAN_MOUNT_SYSFS:
    case PLAN_MOUNT_DEVPTS:
    case PLAN_MOUNT_MQUEUE:
    case PLAN_MOUNT_CGROUP:
        return !is_wish(m);
    case PLAN_MOUNT_DEVICE:
    case PLAN_MOUNT_MASK:
    case PLAN_MOUNT_READONLY:
    case PLAN_MOUNT_DIR:
    case PLAN_MOUNT_SYMLINK:
    case PLAN_MOUNT_FILE:
    case PLAN_MOUNT_COPY:
        break;
    }
    return false;
}

static bool is_hidden(const struct plan_mount *m)
{
    return m->kind == PLAN_MOUNT_MASK && !is_wish(m);
}

static bool is_rest(const struct plan_mount *m)
{
    return !is_wish(m) && !is_mount(m) && !is_hidden(m);
}

static void mounts_of(const struct plan *p, const char *title, const char *none,
                      bool (*is)(const struct plan_mount *m))
{
    size_t count = 0;
    printf("%s%s%s\n", out_colour(OUT_BOLD), title, out_colour(OUT_PLAIN));
    for (size_t i = 0; i < p->mounts_count; i++)
        if (is(&p->mounts[i])) {
            plan_show_step(&p->mounts[i]);
            count++;
        }
    if (!count)
        printf("  %s\n", none);
}

void inspect_mounts(const struct plan *p)
{
    mounts_of(p, "asked for", "nothing", is_wish);
    mounts_of(p, "mounted in every one", "nothing: its root is its own disk", is_mount);
    mounts_of(p, "made in its root", "nothing", is_rest);
    mounts_of(p, "hidden", "nothing", is_hidden);
}

/* --- network ---------------------------------------------------------------------------------- */

static const char *network_words(enum plan_network n)
{
    switch (n) {
    case PLAN_NETWORK_NONE:
        return "there is none: a loopback of its own, and nothing else";
    case PLAN_NETWORK_PRIVATE:
        return "a card of its own, translated on its way out; this host's own addresses are closed";
    case PLAN_NETWORK_ALLOW:
        return "to what is on the list alone";
    case PLAN_NETWORK_HOST:
        return "this host's own: it reaches whatever this host reaches, its loopback too";
    }
    return "";
}

void inspect_network(const struct plan *p, const struct launch_sample *sample)
{
    plan_show_key(p, KEY_NETWORK_MODE, "network", plan_network_names[p->network]);
    printf("  %-14s %s\n", "that is", network_words(p->network));
    if (p->network == PLAN_NETWORK_PRIVATE && plan_is_machine(p))
        printf("  %-14s %s, by way of %s\n", "its address", PLAN_GUEST_ADDRESS, PLAN_GUEST_GATEWAY);
    if (p->network == PLAN_NETWORK_PRIVATE)
        printf("  %-14s %s\n", "asks for names", PLAN_TRANSLATOR_DNS);
    plan_show_key(p, KEY_ISOLATION_HOSTNAME, "hostname", p->hostname);
    if (!sample || p->network == PLAN_NETWORK_HOST)
        return;
    autofree char *in = live_text_size(sample->network_in);
    autofree char *out = live_text_size(sample->network_out);
    printf("  %-14s %s\n  %-14s %s\n", "came in", in, "went out", out);
}
