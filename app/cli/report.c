#include "app/cli/report.h"

#include "backends/changes_json.h"
#include "base/str.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>

struct page {
    FILE *to;
    bool colour;
};

static const char *paint(const struct page *p, const char *sgr)
{
    return p->colour ? sgr : "";
}
#define DIM "\033[2m"
#define BOLD "\033[1m"
#define RED "\033[31m"
#define YELLOW "\033[33m"
#define OFF "\033[0m"

static void page_head(const struct page *p, const char *word)
{
    fprintf(p->to, "  %s%-12s%s", paint(p, DIM), word, paint(p, OFF));
}

static const char *text_of(const json_t *o, const char *key)
{
    return json_string_value(json_object_get(o, key));
}

/* Escaped, owned by the caller; "-" if it is missing. */
static char *shown(const json_t *o, const char *key)
{
    const char *s = text_of(o, key);
    return s ? str_escape_z(s) : str_dup("-");
}

static bool number_of(const json_t *o, const char *key, uint64_t *ret)
{
    const json_t *n = json_object_get(o, key);
    if (!json_is_integer(n) || json_integer_value(n) < 0)
        return false;
    *ret = (uint64_t)json_integer_value(n);
    return true;
}

static void page_ended(const struct page *p, const json_t *o)
{
    const json_t *ended = json_object_get(o, "ended");
    const char *how = text_of(ended, "how");
    uint64_t status = 0, ms = 0, signo;
    char took[32];
    number_of(ended, "status", &status);
    number_of(ended, "duration_ms", &ms);
    page_head(p, "ended");
    const char *name =
        number_of(ended, "signal", &signo) ? sigabbrev_np((int)MIN(signo, 64u)) : NULL;
    if (name)
        fprintf(p->to, "by signal SIG%s", name);
    else
        fprintf(p->to, "%swith status %" PRIu64 "%s", status ? paint(p, YELLOW) : "", status,
                status ? paint(p, OFF) : "");
    fprintf(p->to, " after %s", str_from_duration(ms, took, sizeof(took)));
    if (how && strcmp(how, "exit") != 0 && strcmp(how, "signal") != 0) {
        autofree char *why = str_escape_z(how);
        fprintf(p->to, ": %s%s%s", paint(p, BOLD), why, paint(p, OFF));
    }
    fputc('\n', p->to);
}

static void page_usage(const struct page *p, const json_t *usage)
{
    uint64_t n;
    char text[32], more[32];
    page_head(p, "used");
    const char *between = "";
    if (number_of(usage, "cpu_us", &n)) {
        fprintf(p->to, "%s of processor time", str_from_duration(n / 1000, text, sizeof(text)));
        between = ", ";
    }
    if (number_of(usage, "memory_peak", &n)) {
        fprintf(p->to, "%s%s of memory at most", between, str_from_size(n, text, sizeof(text)));
        between = ", ";
    }
    uint64_t in, out;
    if (number_of(usage, "io_read", &in) && number_of(usage, "io_write", &out) && in + out) {
        fprintf(p->to, "%s%s read and %s written on disks", between,
                str_from_size(in, text, sizeof(text)), str_from_size(out, more, sizeof(more)));
        between = ", ";
    }
    if (!*between)
        fputs("not known", p->to);
    if (number_of(usage, "oom_kills", &n) && n)
        fprintf(p->to, "; %sit ran out of memory%s", paint(p, RED), paint(p, OFF));
    fputc('\n', p->to);
}

static void print_notes(const struct page *p, unsigned notes)
{
    const char *between = "  ";
    for (unsigned bit = 1; bit; bit <<= 1) {
        if (!(notes & bit) || !change_note_name(bit))
            continue;
        bool grave = bit & (CHANGE_SETID | CHANGE_CAPABILITY | CHANGE_DEVICE);
        fprintf(p->to, "%s%s%s%s", between, paint(p, grave ? RED : YELLOW), change_note_name(bit),
                paint(p, OFF));
        between = ", ";
    }
}

static void print_change(const struct page *p, const struct change *c)
{
    static const char marks[] = {
        [CHANGE_ADDED] = '+', [CHANGE_CHANGED] = '~', [CHANGE_DELETED] = '-'};
    char size[32] = "";
    autofree char *path = str_escape_z(c->path);
    if (S_ISREG(c->mode))
        str_from_size(c->size, size, sizeof(size));
    fprintf(p->to, "    %c %s%s", marks[c->kind], path, S_ISDIR(c->mode) ? "/" : "");
    if (*size)
        fprintf(p->to, "  %s%s%s", paint(p, DIM), size, paint(p, OFF));
    print_notes(p, c->notes);
    fputc('\n', p->to);
}

void report_print_changes(FILE *to, const struct changes *c, size_t most, bool colour)
{
    const struct page p = {.to = to, .colour = colour};
    size_t lines = most ? MIN(most, c->count) : c->count;
    for (size_t i = 0; i < lines; i++)
        print_change(&p, &c->list[i]);
    if (lines < c->count)
        fprintf(to, "    … and %s%zu more\n", c->cut ? "at least " : "", c->count - lines);
    else if (c->cut)
        fputs("    … and more\n", to);
    if (c->unreadable)
        fprintf(to, "    … and %" PRIu64 " that could not be read\n", c->unreadable);
}

static void page_changes(const struct page *p, const json_t *o)
{
    struct changes c;
    page_head(p, "changed");
    if (changes_from_json(json_object_get(o, "changes"), &c) < 0) {
        fputs("not known: there was no layer to read it from\n", p->to);
        return;
    }
    size_t of[3] = {0};
    char size[32];
    for (size_t i = 0; i < c.count; i++)
        of[c.list[i].kind]++;
    if (!c.count)
        fputs("nothing\n", p->to);
    else
        fprintf(p->to, "%zu added, %zu changed, %zu deleted; %s in files\n", of[CHANGE_ADDED],
                of[CHANGE_CHANGED], of[CHANGE_DELETED], str_from_size(c.bytes, size, sizeof(size)));
    report_print_changes(p->to, &c, REPORT_CHANGES, p->colour);
    changes_done(&c);
}

static void page_neutralised(const struct page *p, const json_t *o)
{
    static const struct {
        const char *key, *words;
    } rows[] = {
        {"clipboard", "writes to the clipboard"  },
        {"titles",    "changes of the title"     },
        {"queries",   "questions to the terminal"},
        {"images",    "pictures"                 },
        {"unknown",   "unknown sequences"        },
    };
    const json_t *counts = json_object_get(o, "neutralised");
    const char *between = "";
    uint64_t n;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (!number_of(counts, rows[i].key, &n) || !n)
            continue;
        if (!*between)
            page_head(p, "kept away");
        fprintf(p->to, "%s%" PRIu64 " %s", between, n, rows[i].words);
        between = ", ";
    }
    if (*between)
        fputs(" did not reach your terminal\n", p->to);
}

static const char *shortfall(const json_t *list, size_t i)
{
    const char *s = json_string_value(json_array_get(list, i));
    return s ? s : "?";
}

/* Limits that are missing for one and the same reason stand on one line. */
static void page_shortfalls(const struct page *p, const json_t *o)
{
    static const char words[] = " is not enforced: ";
    const json_t *list = json_object_get(o, "shortfalls");
    for (size_t i = 0, next; i < json_array_size(list); i = next) {
        const char *s = shortfall(list, i), *why = strstr(s, words);
        autobuf line = {0};
        next = i + 1;
        buf_add(&line, s, why ? (size_t)(why - s) : strlen(s));
        if (why) {
            buf_puts(&line, " is not enforced");
            for (const char *more, *at; next < json_array_size(list); next++) {
                more = shortfall(list, next);
                at = strstr(more, words);
                if (!at || !str_equal(at, why))
                    break;
                buf_puts(&line, next == i + 1 ? ", nor " : ", ");
                buf_add(&line, more, (size_t)(at - more));
            }
            buf_puts(&line, why + strlen(" is not enforced"));
        }
        autofree char *text = str_escape_z(line.data ? line.data : "");
        page_head(p, i ? "" : "missing");
        fprintf(p->to, "%s%s%s\n", paint(p, YELLOW), text, paint(p, OFF));
    }
}

/* "mount 3 times, keyctl"; nothing where it was not counted, or none was refused. */
static void page_refused(const struct page *p, const json_t *o)
{
    const json_t *list = json_object_get(o, "refused_calls");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        uint64_t count = 0, number = 0;
        number_of(one, "count", &count);
        number_of(one, "number", &number);
        const char *name = text_of(one, "name");
        autofree char *call = name ? str_escape_z(name) : str_format("call %" PRIu64, number);
        if (i == 0)
            page_head(p, "refused");
        fprintf(p->to, "%s%s", i ? ", " : "", call);
        if (count > 1)
            fprintf(p->to, " %" PRIu64 " times", count);
    }
    if (json_array_size(list))
        fputs(" (by its list of system calls)\n", p->to);
}

/* In plain words, what nobody was looking at. A machine's own words are its kernel's. */
static void page_unseen(const struct page *p, const json_t *o)
{
    static const char container[] =
        "an escape through a hole in the host's kernel, which it shared",
                      sandbox[] = "an escape through a hole in the kernel that stood in between "
                                  "and, behind it, in the host's";
    const char *boundary = text_of(o, "boundary"), *escape = container;
    if (boundary && str_equal(boundary, "sandbox"))
        escape = sandbox;
    else if (boundary && !str_equal(boundary, "container"))
        return;
    const char *const lines[] = {
        "which files it read, and what it made and deleted again",
        json_is_array(json_object_get(o, "refused_calls"))
            ? "connections it tried: not recorded by this version"
            : "connections it tried and system calls it was refused: not recorded by this version",
        "what it changed in folders mounted writable: those are the host's own files",
        escape,
    };
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        page_head(p, i ? "" : "not seen");
        fprintf(p->to, "%s\n", lines[i]);
    }
}

void report_print(FILE *to, const json_t *report, bool colour)
{
    const struct page p = {.to = to, .colour = colour};
    autofree char *name = shown(report, "name"), *profile = shown(report, "profile");
    autofree char *boundary = shown(report, "boundary"), *runtime = shown(report, "runtime");
    autofree char *command = shown(report, "command");
    fprintf(to, "%s%s%s: %s (profile %s, %s by %s)\n", paint(&p, BOLD), name, paint(&p, OFF),
            command, profile, boundary, runtime);
    page_ended(&p, report);
    page_usage(&p, json_object_get(report, "usage"));
    page_changes(&p, report);
    page_neutralised(&p, report);
    page_shortfalls(&p, report);
    page_refused(&p, report);
    page_unseen(&p, report);
}

void report_print_text(FILE *to, const char *json, bool colour)
{
    json_t *o = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(o))
        report_print(to, o, colour);
    else
        fputs("the report is damaged\n", to);
    json_decref(o);
}
