/*
 * A console's past: the lines that left its screen and the screen as it was, to be moved in,
 * searched and copied from. Pure; nothing in it moves while the workload goes on.
 */
#ifndef COFFERDAM_UI_COPY_H
#define COFFERDAM_UI_COPY_H

#include "console/cells.h"

enum { UI_COPY_LINES = 100000, UI_COPY_CHUNK = 500 };

struct ui_copy {
    struct ui_copy_line {
        char *data; /* owned; as cells_line_encode() has it. NULL: it has not come yet */
        uint32_t size;
        uint16_t cols;
        bool goes_on; /* the next one belongs to it: no newline is between them */
    } * lines;        /* owned; the oldest first */
    size_t count;
    uint64_t first, next; /* the number of lines[0]; the next one to be asked for */
    uint64_t screen;      /* the number of the first that stood on the screen */
    size_t row, top;      /* the cursor's line; the first one seen */
    int col;
    size_t anchor_row; /* where the selection began */
    int anchor_col;
    bool selecting, whole; /* whole: lines */
    char *keep;            /* owned or NULL: the file for all of it, as soon as it is here */
};

/* As the screen is now, the cursor where it is. */
struct ui_copy *ui_copy_new(const struct cells *screen);
void ui_copy_free(struct ui_copy *c);
/* One more line below all others, of one that was begun empty. */
void ui_copy_add(struct ui_copy *c, const struct cell *cells, uint16_t cols, bool goes_on);
bool ui_copy_lacks(const struct ui_copy *c); /* lines from `next` on are still to come */
/* Lines with their numbers; those that are not lacking are left out. */
void ui_copy_take(struct ui_copy *c, uint64_t first, const struct cell *const *lines,
                  const uint16_t *cols, size_t count);

/* By so many lines and columns, in a window of that height. */
void ui_copy_move(struct ui_copy *c, long rows, int cols, int height);
void ui_copy_to(struct ui_copy *c, size_t row, int col, int height);
int ui_copy_end(const struct ui_copy *c, size_t row);     /* the columns up to its last character */
bool ui_copy_bottom(const struct ui_copy *c, int height); /* the newest line is seen */

/* A line's cells, owned by the caller, `*ret_cols` of them; NULL: none. */
struct cell *ui_copy_cells(const struct ui_copy *c, size_t row, uint16_t *ret_cols);
bool ui_copy_is_selected(const struct ui_copy *c, size_t row, int col);
bool ui_copy_selection_lacks(const struct ui_copy *c); /* some of it is still to come */
char *ui_copy_selected(const struct ui_copy *c); /* UTF-8, owned by the caller */
char *ui_copy_all(const struct ui_copy *c);
/* The next place with these letters, upwards or downwards, round the end; false: there is none. */
bool ui_copy_search(struct ui_copy *c, const char *text, bool up, int height);

#endif
