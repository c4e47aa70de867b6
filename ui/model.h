/*
 * What the interface knows and shows. No curses and no I/O in here: update.h changes it, views read
 * it, what is to be done in the world leaves as intents.
 */
#ifndef COFFERDAM_UI_MODEL_H
#define COFFERDAM_UI_MODEL_H

#include "base/str.h"
#include "console/cells.h"
#include "console/chord.h"
#include "console/state.h"
#include "profiles/settings.h"

enum { UI_ROWS_LEAST = 12, UI_COLS_LEAST = 40, UI_SILENT_MS = 3000, UI_MESSAGE_MS = 8000 };

enum ui_page { UI_PAGE_LIST, UI_PAGE_PROFILES, UI_PAGE_TEXT, UI_PAGE_COUNT };
enum ui_focus { UI_FOCUS_LIST, UI_FOCUS_CONSOLE };
enum ui_dialog { UI_DIALOG_NONE, UI_DIALOG_CONFIRM, UI_DIALOG_LAUNCH, UI_DIALOG_FILTER };

enum ui_intent_kind {
    UI_INTENT_QUIT,
    UI_INTENT_REFRESH,
    UI_INTENT_OPEN,      /* id: show its console */
    UI_INTENT_CLOSE,     /* the console shown */
    UI_INTENT_INPUT,     /* text, size: typed into it */
    UI_INTENT_TAKE_OVER, /* typing in it */
    UI_INTENT_RESIZE,    /* the pane has another size */
    UI_INTENT_STOP,      /* id */
    UI_INTENT_KILL,      /* id */
    UI_INTENT_PAUSE,     /* id */
    UI_INTENT_RESUME,    /* id */
    UI_INTENT_REMOVE,    /* id */
    UI_INTENT_DETAILS,   /* id */
    UI_INTENT_EXPLAIN,   /* text: a profile's name */
    UI_INTENT_START,     /* id: the profile's name, text: a command line */
};

struct ui_intent {
    enum ui_intent_kind kind;
    char *id;   /* owned or NULL */
    char *text; /* owned or NULL */
    size_t size;
};

/* One workload. Every string is safe to show. */
struct ui_row {
    char *id, *name, *profile, *boundary, *command, *reason; /* owned; reason may be NULL */
    enum state_phase phase;
    int64_t created_ms, started_ms, ended_ms; /* as state_record */
    int status;
    bool terminal;
    bool silent;  /* its monitor lives and does not answer */
    bool sampled; /* cpu_us and memory are known, as of sampled_ms */
    uint64_t cpu_us, memory;
    int64_t sampled_ms;
    int cpu_permille; /* of one processor; -1 not known */
};

/* A line being typed. */
struct ui_line {
    char text[1024];
    size_t used;
};

struct ui_console {
    char *id;                      /* owned; NULL: none is open */
    char *name;                    /* owned */
    struct cells cells;            /* owned copy; no rows until something came */
    bool may_type, ended, streams; /* streams: it has no terminal to be shown */
    char *how;                     /* owned; how it ended, or NULL */
    bool zoomed;
    struct attach_chord keys; /* what leads out of it */
    bool chord;               /* the first of them was pressed */
};

struct ui_rect {
    int row, col, rows, cols;
};

struct ui_model {
    int rows, cols; /* of the terminal */
    bool utf8;
    int64_t now_ms; /* CLOCK_REALTIME */

    struct ui_row *list; /* owned */
    size_t count;
    char *selected; /* owned; an id or NULL */
    size_t scroll;
    struct ui_line filter;

    enum ui_page page;
    enum ui_focus focus;
    enum ui_dialog dialog;
    struct ui_console console;

    enum ui_intent_kind asked; /* of UI_DIALOG_CONFIRM */
    char *asked_id, *question; /* owned */

    struct profile_entry *profiles; /* owned */
    size_t profiles_count, profile; /* which one is chosen */
    char **explained;               /* owned; lines about it */
    char *explained_name;           /* owned */
    struct ui_line command;         /* of the launch sheet */

    char *text_title; /* owned */
    char **text;      /* owned; lines of UI_PAGE_TEXT */
    size_t text_scroll;

    char *message; /* owned or NULL */
    bool message_bad;
    int64_t message_until;

    struct ui_intent *intents; /* owned; taken by ui_take_intent() */
    size_t intents_count;
    bool dirty; /* something to be drawn has changed */
};

void ui_model_init(struct ui_model *m, int rows, int cols, bool utf8);
void ui_model_done(struct ui_model *m);

/* News from the world. Each sets `dirty` only if what is shown changes. */
void ui_model_list(struct ui_model *m, const struct state_record *list, size_t count);
void ui_model_sample(struct ui_model *m, const char *id, enum state_phase phase, uint64_t cpu_us,
                     uint64_t memory);
void ui_model_silent(struct ui_model *m, const char *id, bool silent);
void ui_model_time(struct ui_model *m, int64_t now_ms);
void ui_model_profiles(struct ui_model *m, struct profile_entry *list, size_t count); /* taken */
void ui_model_explained(struct ui_model *m, const char *profile, const char *text);
void ui_model_text(struct ui_model *m, const char *title, const char *text); /* turns to it */
void ui_model_message(struct ui_model *m, bool bad, const char *text); /* a stranger's words too */
void ui_model_no_message(struct ui_model *m);
void ui_model_keys(struct ui_model *m, const char *detach_keys); /* of the console; NULL: default */
void ui_model_cells(struct ui_model *m, const struct cells *c);

/* The workloads that pass the filter: index of the nth into `list`, or `count`. */
size_t ui_model_visible(const struct ui_model *m, size_t nth);
size_t ui_model_visible_count(const struct ui_model *m);
struct ui_row *ui_model_row(const struct ui_model *m, const char *id); /* NULL: none */
struct ui_row *ui_model_selected(const struct ui_model *m);            /* NULL: none */

/* What stands where. A pane with no rows: no console is open. */
void ui_model_layout(const struct ui_model *m, struct ui_rect *ret_list, struct ui_rect *ret_pane);
/* What the pane of one more workload would have. */
void ui_model_pane(const struct ui_model *m, struct ui_rect *ret);
/* The first of its keys as people write it, "ctrl-]"; owned by the caller. */
char *ui_console_prefix(const struct ui_console *c);
bool ui_model_too_small(const struct ui_model *m);

/* For lists and ages; `to` of at least 16 bytes. */
const char *ui_row_state(const struct ui_row *r, char *to, size_t room);
const char *ui_row_cpu(const struct ui_row *r, char *to, size_t room);
const char *ui_row_memory(const struct ui_row *r, char *to, size_t room);
const char *ui_row_age(const struct ui_row *r, int64_t now_ms, char *to, size_t room);

void ui_intend(struct ui_model *m, enum ui_intent_kind kind, const char *id, const char *text,
               size_t size);
bool ui_take_intent(struct ui_model *m,
                    struct ui_intent *ret); /* the oldest; its strings are yours */
void ui_intent_done(struct ui_intent *i);

#endif
