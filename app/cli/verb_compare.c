/* cofferdam compare: the same command behind every boundary this host has, measured. */
#include "app/cli/compare.h"
#include "app/cli/live.h"
#include "app/cli/measured.h"
#include "app/cli/out.h"
#include "app/cli/verbs.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { ROUNDS = 3, ROUNDS_MOST = 100 };

// clang-format off
static const struct option_row options[] = {
    {"rounds",     'r', "NUMBER", "starts of each, 1 to 100 (default: 3); the median is shown", NULL},
    {"profile",    'p', "NAME", "what is asked for beside the boundary (default: contained)", "profile"},
    {"image",      'i', "IMAGE", "host, dir:PATH or an image's name", NULL},
    {"env",        'e', "NAME[=VALUE]", "a variable; without a value the caller's", NULL},
    {"workdir",    'w', "PATH", "where the command starts", NULL},
    {"memory",     'm', "SIZE", "most memory", NULL},
    {"cpus",        0,  "NUMBER", "most processor time", NULL},
    {"copy-in",     0,  "SOURCE[:TARGET]", "copy files of the host inside", "file"},
    {"time-limit",  0,  "TIME", "stop each after this time", NULL},
    {"set",         0,  "SECTION.KEY=VALUE", "any key of cofferdam.ini(5)", NULL},
    {0},
};
// clang-format on

static const char row_format[] = "%-10s %-17s %10s %10s %10s %10s  %s";

static int compare_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Of a member in all rounds. */
static uint64_t median(const struct trial *all, size_t count, size_t member)
{
    uint64_t values[ROUNDS_MOST];
    for (size_t i = 0; i < count; i++)
        values[i] = *(const uint64_t *)((const char *)&all[i] + member);
    qsort(values, count, sizeof(*values), compare_number);
    return values[count / 2];
}

/* Its rounds; the first that fails is the last. */
static int measure(const struct cli *c, const struct backend *b, size_t rounds, int signals,
                   struct trial *ret, struct error *e)
{
    autofree struct trial *all = mem_zero(rounds, sizeof(*all));
    for (size_t i = 0; i < rounds; i++) {
        int r = compare_trial(c, b, signals, &all[i], e);
        if (r < 0)
            return r;
    }
    *ret = all[rounds - 1];
    ret->start_us = median(all, rounds, offsetof(struct trial, start_us));
    ret->total_us = median(all, rounds, offsetof(struct trial, total_us));
    ret->cpu_us = median(all, rounds, offsetof(struct trial, cpu_us));
    ret->memory = median(all, rounds, offsetof(struct trial, memory));
    return 0;
}

/* "2.41 ms", "1.2 s"; owned by the caller. */
static char *time_text(uint64_t us)
{
    if (us == UINT64_MAX)
        return str_dup("-");
    if (us < 1000000)
        return str_format("%llu.%02llu ms", (unsigned long long)us / 1000,
                          (unsigned long long)us / 10 % 100);
    return str_format("%llu.%02llu s", (unsigned long long)us / 1000000,
                      (unsigned long long)us / 10000 % 100);
}

static void print_row(const struct backend *b, const struct trial *t, const struct error *why)
{
    const char *boundary = plan_boundary_name(b->boundary);
    if (!t) {
        autofree char *text = out_text(why->text);
        out_line("%-10s %-17s not measured: %s", boundary, b->name, text);
        return;
    }
    autofree char *start = time_text(t->start_us), *total = time_text(t->total_us);
    autofree char *cpu = time_text(t->cpu_us), *memory = live_text_size(t->memory);
    autofree char *status = str_format("%d%s", t->status, t->emulated ? "  (emulated!)" : "");
    out_line(row_format, boundary, b->name, start, total, cpu, memory, status);
}

static json_t *number_or_null(uint64_t n)
{
    return n == UINT64_MAX ? json_null() : json_integer((json_int_t)n);
}

static json_t *row_json(const struct backend *b, const struct trial *t, const struct error *why)
{
    json_t *row = json_pack("{s:s, s:s, s:b, s:o}", "boundary", plan_boundary_name(b->boundary),
                            "runtime", b->name, "usable", t != NULL, "why",
                            t ? json_null() : out_json_string(why->text));
    if (t)
        json_object_update_new(row, json_pack("{s:o, s:o, s:o, s:o, s:i, s:b}", "start_us",
                                              number_or_null(t->start_us), "total_us",
                                              number_or_null(t->total_us), "cpu_us",
                                              number_or_null(t->cpu_us), "memory_peak",
                                              number_or_null(t->memory), "status", t->status,
                                              "emulated", t->emulated));
    return row;
}

/* For the launch sheet: what the runtime costs that is taken unless another is named. */
static void note(const struct backend *b, const struct trial *t)
{
    struct error ignored;
    struct dirs d;
    if (t->emulated || backend_for(b->boundary, &ignored) != b || dirs_init(&d, &ignored) < 0)
        return;
    measured_note(&d, plan_boundary_name(b->boundary), t->start_us,
                  t->memory == UINT64_MAX ? 0 : t->memory);
    dirs_done(&d);
}

/* One after the other, so that none is in the other's way. The exit status. */
static int compare_all(const struct cli *c, size_t rounds, int signals)
{
    json_t *rows = json_array();
    bool any = false;
    int r = 0;
    if (!c->json)
        out_line(row_format, "BOUNDARY", "RUNTIME", "START", "TOTAL", "CPU", "MEMORY", "STATUS");
    fflush(stdout);
    for (size_t i = 0; i < backends_count; i++) {
        struct trial t;
        struct error why;
        if (!compare_has_name(backends[i]))
            continue;
        r = measure(c, backends[i], rounds, signals, &t, &why);
        if (r == -EINTR)
            break;
        any = any || r == 0;
        if (r == 0)
            note(backends[i], &t);
        if (c->json)
            json_array_append_new(rows, row_json(backends[i], r == 0 ? &t : NULL, &why));
        else
            print_row(backends[i], r == 0 ? &t : NULL, &why);
        fflush(stdout);
    }
    if (c->json && r != -EINTR)
        out_json(json_pack("{s:O, s:I, s:o}", "comparison", rows, "rounds", (json_int_t)rounds,
                           "command", out_json_strings(c->command)));
    json_decref(rows);
    return r == -EINTR ? 128 + SIGINT : any ? 0 : EXIT_OURS;
}

static int compare_run(struct cli *c)
{
    static const int ending[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    uint64_t rounds = ROUNDS;
    const char *given = cli_option(c, "rounds");
    sigset_t set;
    struct error e;
    if (!c->command || !c->command[0])
        return cli_usage(c, "it needs a command");
    if (given && (str_to_uint(given, &rounds) < 0 || !rounds || rounds > ROUNDS_MOST))
        return cli_usage(c, "--rounds: a number from 1 to %d", ROUNDS_MOST);
    if (compare_options(c, &e) < 0)
        return cli_fail(c, &e);
    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_SIZE(ending); i++)
        sigaddset(&set, ending[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int signals = signalfd(-1, &set, SFD_CLOEXEC);
    int status = compare_all(c, rounds, signals);
    close(signals);
    return status;
}

const struct verb verb_compare = {
    .name = "compare",
    .group = "Host",
    .usage = "[OPTION…] [--] COMMAND [ARGUMENT…]",
    .summary = "the same command behind every boundary this host has, measured",
    .options = options,
    .flags = VERB_JSON | VERB_COMMAND,
    .run = compare_run,
};
