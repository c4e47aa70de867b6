#include "base/pace.h"

#include "base/str.h"

enum { PACE_LOOK_MS = 250, PACE_MEMORY_MS = 3000, PACE_BAR_MOST = 30, PACE_BAR_LEAST = 5 };
enum { PACE_RECORD_PART = 0x1f };

void pace_note(struct pace *p, uint64_t now_ms, uint64_t done, uint64_t total)
{
    if (!p->begun || done < p->done || total != p->total)
        *p = (struct pace){.at_ms = now_ms, .from = done, .begun = true};
    p->done = done;
    p->total = total;
    uint64_t passed = now_ms - p->at_ms;
    if (now_ms < p->at_ms || passed < PACE_LOOK_MS)
        return;
    /* what is older weighs less */
    uint64_t now = (done - p->from) * 1000 / passed, weight = MIN(passed, PACE_MEMORY_MS);
    p->rate = p->rate ? (p->rate * (PACE_MEMORY_MS - weight) + now * weight) / PACE_MEMORY_MS : now;
    p->at_ms = now_ms;
    p->from = done;
}

bool pace_left(const struct pace *p, uint64_t *ret_ms)
{
    if (!p->rate || !p->total || p->done > p->total)
        return false;
    *ret_ms = (uint64_t)((double)(p->total - p->done) * 1000 / (double)p->rate);
    return true;
}

/* "50 %  12 MiB of 24 MiB  3 MiB/s  4 s left", the last of it left out by as much as is said. */
static char *pace_words(const struct pace *p, int parts)
{
    struct buf b = {0};
    char size[32];
    uint64_t left;
    if (p->total) {
        buf_printf(&b, "%3llu %%",
                   (unsigned long long)((double)MIN(p->done, p->total) * 100 / (double)p->total));
        if (parts > 2)
            buf_printf(&b, "  %s", str_from_size(p->done, size, sizeof(size)));
        if (parts > 2)
            buf_printf(&b, " of %s", str_from_size(p->total, size, sizeof(size)));
    } else {
        buf_puts(&b, str_from_size(p->done, size, sizeof(size)));
    }
    if (parts > 1 && p->rate)
        buf_printf(&b, "  %s/s", str_from_size(p->rate, size, sizeof(size)));
    if (parts > 0 && pace_left(p, &left))
        buf_printf(&b, "  %s left", str_from_duration(left, size, sizeof(size)));
    return buf_take(&b);
}

char *pace_text(const struct pace *p, int width, const char *full)
{
    char *words = NULL;
    int parts = 3, room = 0;
    do {
        free(words);
        words = pace_words(p, parts);
        room = width - (int)strlen(words) - 3; /* the bar's brackets, and a blank */
    } while (room < PACE_BAR_LEAST && parts-- > 0);
    if (!p->total || room < PACE_BAR_LEAST)
        return words;
    int length = MIN(room, PACE_BAR_MOST);
    int done = (int)((double)MIN(p->done, p->total) * length / (double)p->total);
    struct buf b = {0};
    buf_putc(&b, '[');
    for (int i = 0; i < length; i++)
        buf_puts(&b, i < done ? full : " ");
    buf_printf(&b, "] %s", words);
    free(words);
    return buf_take(&b);
}

char *pace_record(const char *words, uint64_t done, uint64_t total)
{
    autofree char *safe = str_escape_z(words);
    return str_format("%c%.200s%c%llu%c%llu\n", PACE_RECORD, safe, PACE_RECORD_PART,
                      (unsigned long long)done, PACE_RECORD_PART, (unsigned long long)total);
}

bool pace_record_read(const char *record, char **ret_words, uint64_t *ret_done, uint64_t *ret_total)
{
    autostrv char **parts = strv_split(record, (const char[]){PACE_RECORD_PART, '\0'});
    uint64_t done, total;
    if (strv_length(parts) != 3 || str_to_uint(parts[1], &done) < 0 ||
        str_to_uint(parts[2], &total) < 0)
        return false;
    *ret_words = str_escape_z(parts[0]);
    *ret_done = done;
    *ret_total = total;
    return true;
}
