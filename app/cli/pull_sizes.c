#include "app/cli/pull_sizes.h"

#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "1.2MiB", behind which `*ret_end` is; false: it is none. */
static bool sizes_one(const char *text, uint64_t *ret, const char **ret_end)
{
    static const char units[] = "KMGT";
    char *end;
    text += strspn(text, " ");
    if (*text < '0' || *text > '9')
        return false;
    double value = strtod(text, &end);
    const char *unit = strchr(units, *end);
    if (*end && unit) {
        double by = end[1] == 'i' ? 1024 : 1000;
        for (const char *u = units; u <= unit; u++)
            value *= by;
        end += end[1] == 'i' ? 2 : 1;
    }
    if (*end != 'B' && *end != 'b')
        return false;
    if (value > 1e15)
        return false;
    *ret = (uint64_t)value;
    *ret_end = end + 1;
    return true;
}

/* "1.2MiB / 3.4MiB" anywhere in it; a size by itself is a speed. */
static bool sizes_pair(const char *text, uint64_t *ret_done, uint64_t *ret_total)
{
    for (const char *slash = strstr(text, " / "); slash; slash = strstr(slash + 1, " / ")) {
        const char *begin = slash, *end;
        while (begin > text && begin[-1] != ' ')
            begin--;
        if (sizes_one(begin, ret_done, &end) && end == slash &&
            sizes_one(slash + 3, ret_total, &end))
            return true;
    }
    return false;
}

static void sizes_line(struct pull_sizes *s)
{
    static const char begins[] = "Copying blob ";
    char name[sizeof(s->list[0].name)] = "";
    uint64_t done = 0, total = 0;
    s->line[s->used] = '\0';
    const char *at = strstr(s->line, begins), *fatal = strstr(s->line, "FATA[");
    fatal = fatal ? strchr(fatal, ']') : NULL;
    if (fatal)
        snprintf(s->why, sizeof(s->why), "%s", fatal + 1 + strspn(fatal + 1, " "));
    if (!at)
        return;
    at += sizeof(begins) - 1;
    if (str_starts(at, "sha256:"))
        at += strlen("sha256:");
    size_t length = MIN(strcspn(at, " "), sizeof(name) - 1), i = 0;
    memcpy(name, at, length);
    while (i < s->count && !str_equal(s->list[i].name, name))
        i++;
    bool over = strstr(at, " done ") || str_ends(at, " done") || strstr(at, " skipped");
    bool told = sizes_pair(at, &done, &total);
    if (!told && !(over && i < s->count))
        return;
    if (i == s->count) {
        if (i == PULL_SIZES_MOST)
            return;
        memcpy(s->list[s->count++].name, name, sizeof(name));
    }
    if (told)
        s->list[i].total = total;
    s->list[i].done = over ? s->list[i].total : MIN(done, s->list[i].total);
}

void pull_sizes_text(struct pull_sizes *s, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '\n' || text[i] == '\r' || text[i] == '\033') {
            sizes_line(s);
            s->used = 0;
        } else if (s->used + 1 < sizeof(s->line)) {
            s->line[s->used++] = text[i];
        }
    }
}

void pull_sizes_sum(const struct pull_sizes *s, uint64_t *ret_done, uint64_t *ret_total)
{
    *ret_done = *ret_total = 0;
    for (size_t i = 0; i < s->count; i++) {
        *ret_done += s->list[i].done;
        *ret_total += s->list[i].total;
    }
}
