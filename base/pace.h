/* How fast something goes, and how long the rest of it takes at that. */
#ifndef COFFERDAM_BASE_PACE_H
#define COFFERDAM_BASE_PACE_H

#include <stdbool.h>
#include <stdint.h>

/* Zeroed: nothing is known yet. */
struct pace {
    uint64_t done, total; /* bytes; total 0: not known */
    uint64_t rate;        /* bytes a second, of the last few seconds; 0: not known */
    uint64_t at_ms, from; /* the last time the rate was looked at, and what was done by then */
    bool begun;
};

/* `now_ms` of any steady clock. Less done than before, or another total: it begins anew. */
void pace_note(struct pace *p, uint64_t now_ms, uint64_t done, uint64_t total);
bool pace_left(const struct pace *p, uint64_t *ret_ms); /* false: not known */

/*
 * "[#####     ] 50 %  12 MiB of 24 MiB  3 MiB/s  4 s left" in at most `width` columns: what does
 * not fit goes, the bar first to be shorter. Without a total: "12 MiB  3 MiB/s". `full`: the
 * character of the bar, one column wide. Owned by the caller.
 */
char *pace_text(const struct pace *p, int width, const char *full);

/*
 * How far something is, told by one process to another among other output: PACE_RECORD, the words,
 * a US (1f), bytes done, a US, bytes in all, a line end.
 */
enum { PACE_RECORD = 0x1e, PACE_RECORD_MOST = 400 };
char *pace_record(const char *words, uint64_t done, uint64_t total); /* owned by the caller */
/* Without its first byte and its end; false: it is none. `*ret_words` (owned): safe to show. */
bool pace_record_read(const char *record, char **ret_words, uint64_t *ret_done,
                      uint64_t *ret_total);

#endif
