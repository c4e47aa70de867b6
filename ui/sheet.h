/*
 * The launch sheet: what is to be opened or run, how far it is trusted, and the few settings people
 * change. Pure: the sheet becomes arguments of a launch, or a workload file.
 */
#ifndef COFFERDAM_UI_SHEET_H
#define COFFERDAM_UI_SHEET_H

#include "base/str.h"

/* A line being typed. */
struct ui_line {
    char text[1024];
    size_t used;
};

enum ui_field {
    UI_FIELD_FILE,
    UI_FIELD_COMMAND,
    UI_FIELD_DIAL,
    UI_FIELD_PROFILE,
    UI_FIELD_IMAGE,
    UI_FIELD_NETWORK,
    UI_FIELD_MOUNT,
    UI_FIELD_MEMORY,
    UI_FIELD_CPUS,
    UI_FIELD_PIDS,
    UI_FIELD_DISK,
    UI_FIELD_TIME,
    UI_FIELD_KEEP,
    UI_FIELD_RESTART,
    UI_FIELD_INSTALL, /* onto which disk the file, a CD image, is installed */
    UI_FIELD_NAME,
    UI_FIELD_COUNT,
};

enum { UI_STOPS = 4 };

/* A stop of the dial, as it is on this machine. Every string is safe to show. */
struct ui_stop {
    char *boundary, *profile, *protects, *open, *costs; /* owned */
    char *lacks, *mend;                                 /* owned or NULL: it is there */
    bool there;
};

struct ui_sheet {
    enum ui_field field; /* that has the keys */
    struct ui_line lines[UI_FIELD_COUNT];
    int choices[UI_FIELD_COUNT]; /* of ui_field_choices(); 0: as the profile has it */
    struct ui_stop stops[UI_STOPS];
    bool stops_known;
    char *what, *advice; /* owned or NULL: what the file is; what is recommended for it */
    char *looked_at;     /* owned or NULL: the file that is about */
    bool chosen;         /* the person has turned the dial: advice leaves it alone */
    char **completions;  /* owned or NULL */
};

extern const char *const ui_field_names[UI_FIELD_COUNT];

void ui_sheet_done(struct ui_sheet *s);
void ui_sheet_stops_done(struct ui_sheet *s);
bool ui_field_is_typed(enum ui_field f);
/* What such a field can be; NULL-terminated, the first is "". NULL: it is another kind of field. */
const char *const *ui_field_choices(enum ui_field f);

/* The file as it is typed now; owned by the caller. Whether that is the one `what` is about. */
char *ui_sheet_file(const struct ui_sheet *s);
bool ui_sheet_looked(const struct ui_sheet *s);

/* Which stop leads to this profile; -1: none does. */
int ui_sheet_stop(const struct ui_sheet *s, const char *profile);

/* The dial's line, where `at` is the chosen stop: what a stop is called in it, with its sign in
 * front (owned by the caller); where that stands; and which one stands there, -1: none. */
enum { UI_SHEET_COL = 12, UI_SHEET_SIGN = 4, UI_SHEET_ALL = 60 /* columns for all names */ };
char *ui_sheet_stop_text(const struct ui_sheet *s, int at, int cols, int stop);
int ui_sheet_stop_col(const struct ui_sheet *s, int at, int cols, int stop);
int ui_sheet_stop_at(const struct ui_sheet *s, int at, int cols, int col);

/* How many completions there are to choose from. */
size_t ui_sheet_completions(const struct ui_sheet *s);

/*
 * Arguments of `launch` (and of `plan`): owned by the caller, without a verb. NULL: a quote is not
 * closed.
 */
char **ui_sheet_args(const struct ui_sheet *s, const char *profile);
/* The same as a workload file's text; owned. NULL: a quote is not closed. */
char *ui_sheet_ini(const struct ui_sheet *s, const char *profile);

/* Splits a command line into words as a shell does with quotes and backslashes and nothing else;
 * NULL: unclosed. */
char **ui_words(const char *line);

#endif
