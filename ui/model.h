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
#include "ui/bindings.h"
#include "ui/copy.h"
#include "ui/images.h"
#include "ui/sheet.h"
#include "ui/tasks.h"

enum {
    UI_ROWS_LEAST = 12,
    UI_COLS_LEAST = 40,
    UI_SILENT_MS = 3000,
    UI_MESSAGE_MS = 8000,
    UI_STILL_MS = 10000
};

enum ui_page {
    UI_PAGE_LIST,
    UI_PAGE_PROFILES,
    UI_PAGE_HOST,
    UI_PAGE_IMAGES,
    UI_PAGE_GRAPHS, /* of the chosen workload */
    UI_PAGE_TEXT,
    UI_PAGE_COUNT,
};
enum ui_focus { UI_FOCUS_LIST, UI_FOCUS_CONSOLE };
enum ui_dialog {
    UI_DIALOG_NONE,
    UI_DIALOG_CONFIRM,
    UI_DIALOG_LAUNCH,
    UI_DIALOG_FILTER,
    UI_DIALOG_COMMAND, /* behind ":" */
    UI_DIALOG_SEARCH,  /* in a text, or in what a console showed before */
    UI_DIALOG_KEEP,    /* a file for what a console showed */
};

enum ui_intent_kind {
    UI_INTENT_QUIT,
    UI_INTENT_REFRESH,
    UI_INTENT_OPEN,      /* id: show its console */
    UI_INTENT_CLOSE,     /* id, console */
    UI_INTENT_INPUT,     /* id, console; text, size: typed into it */
    UI_INTENT_INPUT_ALL, /* text, size: typed into the main consoles of all marked */
    UI_INTENT_TAKE_OVER, /* id, console: typing in it */
    UI_INTENT_HISTORY,   /* id, console: lines from `first` on, `size` at most */
    UI_INTENT_COPIED,    /* text: to the terminal's clipboard as well */
    UI_INTENT_KEEP,      /* id: a path, text: what is written there */
    UI_INTENT_STOP,      /* id */
    UI_INTENT_KILL,      /* id */
    UI_INTENT_PAUSE,     /* id */
    UI_INTENT_RESUME,    /* id */
    UI_INTENT_REMOVE,    /* id */
    UI_INTENT_EXPLAIN,   /* text: a profile's name */
    UI_INTENT_START,     /* text: arguments of `launch` */
    UI_INTENT_SHELL,     /* id: one more console in it, with a shell */
    UI_INTENT_PAGE,     /* id: its title, text: arguments; what they print becomes a page of text */
    UI_INTENT_PAGE_END, /* the page was left: what still writes it ends */
    UI_INTENT_DO,       /* text: arguments of a verb whose output only matters if it fails */
    UI_INTENT_DIAL,     /* text: a file or ""; the stops of the launch sheet */
    UI_INTENT_COMPLETE, /* text: the beginning of a path */
    UI_INTENT_SAVE,     /* id: a workload's name, text: its file */
    UI_INTENT_PROCESSES, /* id: a page of what runs in it */
    UI_INTENT_NUMBERS,   /* those of the page: they are asked for now */
    UI_INTENT_KEYS,      /* id: which ones lead out of its console */
    UI_INTENT_EDIT,      /* text: arguments of a verb that wants the terminal; id: a profile */
    UI_INTENT_IMAGES,    /* what there is of them, anew */
    UI_INTENT_GIVE_UP,   /* id: a task's number: it ends and clears up */
    UI_INTENT_SUSPEND,   /* as ctrl-Z does in a shell */
    UI_INTENT_MOUSE,     /* the mouse was given back, or taken again */
};
#define UI_NOT_IN_IT "that is not in it"
/* Between arguments in an intent's text: nobody can type it. */
#define UI_ARG_END '\x1f'

struct ui_intent {
    enum ui_intent_kind kind;
    char *id;   /* owned or NULL */
    char *text; /* owned or NULL */
    size_t size;
    uint32_t console; /* which one of it */
    uint64_t first;
};

/* How ids of domains of other programs begin: the verbs know them by it, too. */
#define UI_FOREIGN "libvirt:"

/* One workload. Every string is safe to show. */
struct ui_row {
    char *id, *name, *profile, *boundary, *command, *reason; /* owned; reason may be NULL */
    enum state_phase phase;
    int64_t created_ms, started_ms, ended_ms; /* as state_record */
    int status;
    pid_t pid; /* 0: none */
    bool terminal;
    bool foreign; /* a domain of another program, by what libvirt says */
    bool silent;  /* its monitor lives and does not answer; of a foreign one: libvirt does not */
    bool sampled; /* cpu_us and memory are known, as of sampled_ms */
    uint64_t cpu_us, memory;
    int64_t sampled_ms;
    int cpu_permille;                              /* of one processor; -1 not known */
    uint64_t memory_peak, pids, io_read, io_write; /* UINT64_MAX: not known */
    uint64_t pressure_us;                          /* of all three kinds */
    uint64_t network_in, network_out;              /* bytes; UINT64_MAX: not known */
    uint64_t read_rate, write_rate;                /* bytes a second; UINT64_MAX: not known */
    uint64_t in_rate, out_rate;                    /* of its network, likewise */
    int pressure_permille;                         /* of the time something waited; -1 not known */
    char *runtime, *image, *snapshot;              /* owned; snapshot may be NULL */
    char **labels;                                 /* owned */
    uint64_t oom_kills;                            /* UINT64_MAX: not known */
    char *says; /* owned; its guest's own word on memory and load; NULL: none */
    bool marked;
    struct ui_history *history; /* owned; NULL: nothing yet */
};

/* The last minutes of a workload, a sample a second. */
enum { UI_HISTORY = 240 };
enum ui_history_of {
    UI_HISTORY_CPU,    /* permille of one processor */
    UI_HISTORY_MEMORY, /* KiB */
    UI_HISTORY_READ,   /* KiB a second */
    UI_HISTORY_WRITTEN,
    UI_HISTORY_WAITS, /* permille of the time */
    UI_HISTORY_IN,    /* of the network; KiB a second */
    UI_HISTORY_OUT,
    UI_HISTORY_COUNT,
};
struct ui_history {
    uint32_t values[UI_HISTORY_COUNT][UI_HISTORY];
    unsigned used, next;
};

/* What was taken of a workload. Every string is safe to show. */
struct ui_snapshot {
    char *id, *name, *workload, *workload_name, *kind; /* owned */
    uint64_t bytes;
    int64_t created_ms;
};

/* What is listed, in its order. */
enum ui_item_kind { UI_ITEM_ROW, UI_ITEM_SNAPSHOT, UI_ITEM_GROUP };
struct ui_item {
    enum ui_item_kind kind;
    size_t index; /* into `list` or `snapshots`; of a group: how many */
    int depth;
    const char *group; /* borrowed from a row */
};
enum ui_arrange {
    UI_ARRANGE_FLAT,
    UI_ARRANGE_TREE,
    UI_ARRANGE_PROFILE,
    UI_ARRANGE_BOUNDARY,
    UI_ARRANGE_LABEL,
    UI_ARRANGE_COUNT,
};

/* One thing that can be done by name: a verb of the command line. Static. */
struct ui_verb {
    const char *name, *summary;
    const char *const *words; /* subverbs and options; NULL-terminated */
};

struct lines; /* console/lines.h */
struct ui_console {
    char *id;                      /* owned; NULL: none is open */
    char *name;                    /* owned */
    uint32_t number;               /* 0 its main one, else that of a shell in it */
    struct cells cells;            /* owned copy; no rows until something came */
    bool may_type, ended, streams; /* streams: it has no terminal to be shown */
    char *how;                     /* owned; how it ended, or NULL */
    struct attach_chord keys;      /* what leads out of it */
    bool chord;                    /* the first of them was pressed */
    int rows, cols;                /* as its monitor was told last */
    struct ui_copy *copy;          /* owned; NULL: it is shown as it is now */
    struct lines *output;          /* owned; of one with streams: what it wrote; NULL: nothing */
    bool output_new;               /* some of it is not in `cells` yet */
};
enum { UI_PANES = 4 };
enum ui_tiling { UI_TILING_FITS, UI_TILING_BESIDE, UI_TILING_BELOW };

struct ui_rect {
    int row, col, rows, cols; /* of a pane: its name stands in the row above */
};

/* Of the machine, for its page. */
struct ui_host_facts {
    bool known;
    uint64_t memory, available, swap_used; /* bytes */
    unsigned processors;
    uint64_t processes; /* that the kernel has room for still; 0: not known */
    double load[3];
    double pressure_cpu, pressure_memory, pressure_io; /* percent over 10 seconds; <0: not known */
    uint64_t disk, disk_free;                          /* where snapshots and images lie */
    uint64_t images, snapshots;                        /* bytes; UINT64_MAX: not known */
};

struct ui_model {
    int rows, cols; /* of the terminal */
    bool utf8;
    int64_t now_ms; /* CLOCK_REALTIME */

    struct ui_row *list; /* owned */
    size_t count;
    size_t *by_id;                 /* owned; indices in the order of the ids */
    struct ui_snapshot *snapshots; /* owned */
    size_t snapshots_count;
    bool snapshots_known;                 /* they have been read */
    char *list_failed, *snapshots_failed; /* owned or NULL: they could not be, in these words */
    struct ui_item *items;                /* owned; what passes the filter, arranged and sorted */
    size_t items_count;
    char *selected; /* owned; an id or NULL */
    size_t scroll;
    struct ui_line filter;
    enum ui_arrange arrange;
    int sort; /* enum ui_column; UI_COL_COUNT: as they were started */
    bool sort_turned;
    int tour;     /* which step of it, from 1; 0: none */
    bool listed;  /* the first list has come */
    bool stalled; /* the files do not answer */
    bool hidden;  /* another program has the terminal: an editor */
    char *wanted; /* owned or NULL: an id to be chosen as soon as it is listed */

    enum ui_page page;
    enum ui_focus focus;
    enum ui_dialog dialog;
    struct ui_console panes[UI_PANES];
    size_t panes_count, pane; /* which one has the keys, or had them last */
    enum ui_tiling tiling;
    bool zoomed;  /* it alone is seen */
    bool to_all;  /* what is typed goes to all that are marked, too */
    char *copied; /* owned or NULL: UTF-8, what was copied last */

    enum ui_intent_kind asked; /* of UI_DIALOG_CONFIRM */
    char **asked_ids;          /* owned */
    char **asked_args;         /* owned; of UI_INTENT_DO, one after another */
    char *question;            /* owned */
    bool asked_page;           /* what it prints is shown */
    bool asked_left;           /* by a click in the left half of the window */

    struct profile_entry *profiles; /* owned */
    size_t profiles_count, profile; /* which one is chosen */
    bool profiles_known;            /* what there is has been read */
    char **explained;               /* owned; lines about it */
    char *explained_name;           /* owned */
    size_t explained_scroll;        /* lines above its part of the profiles' page */
    struct ui_sheet sheet;
    struct ui_images images;

    char *text_title; /* owned */
    char **text;      /* owned; lines of UI_PAGE_TEXT */
    size_t text_count;
    char *text_rest; /* owned or NULL; a line that is not whole yet */
    size_t text_scroll;
    bool text_loading, text_failed;
    bool text_renewed; /* it comes whole, again and again: a form feed ends each */
    char *text_id;     /* owned or NULL: the workload whose details these are */
    int text_tab;      /* of them */
    enum ui_page text_back;
    bool text_to_sheet;
    struct ui_line search;
    bool text_seeks;    /* what is searched for is looked for in what still comes */
    size_t text_sought; /* in the lines before this one it is not */

    const struct ui_verb *verbs; /* borrowed */
    size_t verbs_count;
    struct ui_line typed; /* behind ":" */
    struct ui_host_facts facts;
    bool mouse_free;              /* for selecting with */
    bool own_only;                /* nobody is asked for domains of other programs */
    int pressed_row, pressed_col; /* where the mouse was pressed in a pane */
    bool dragged;                 /* and has been moved since */
    bool pressed_left;            /* in the left half of the window, and no key was typed since */
    bool ascii_graphs, block_graphs,
        still;  /* as the settings have it; still: nothing moves by itself */
    bool moved; /* numbers that are not drawn yet, because of `still` */
    struct ui_bindings bindings;

    struct ui_task *tasks; /* owned; the oldest first */
    size_t tasks_count;
    unsigned tasks_made; /* so far */

    char *message; /* owned or NULL */
    bool message_bad;
    int64_t message_until;

    struct ui_intent *intents; /* owned; taken by ui_take_intent() */
    size_t intents_count;
    bool dirty; /* something to be drawn has changed */
};

void ui_model_init(struct ui_model *m, int rows, int cols, bool utf8);
void ui_model_done(struct ui_model *m);

/* Fills the sorted index and the items anew; `selected` goes to something that is there. */
void ui_model_arrange(struct ui_model *m);
void ui_model_snapshots(struct ui_model *m, struct ui_snapshot *list, size_t count); /* taken */
/* They cannot be read, and `why` (copied): what there was stays until they can. */
void ui_model_snapshots_failed(struct ui_model *m, const char *why);
void ui_model_snapshots_page(struct ui_model *m); /* it is as they are now, if it is shown */
void ui_model_list_failed(struct ui_model *m, const char *why);
void ui_snapshots_free(struct ui_snapshot *list, size_t count);
const struct ui_snapshot *ui_model_snapshot(const struct ui_model *m); /* the chosen one, or NULL */
size_t ui_model_marked(const struct ui_model *m);

/* News from the world. Each sets `dirty` only if what is shown changes. */
void ui_model_list(struct ui_model *m, const struct state_record *list, size_t count);
struct ui_sample {
    uint64_t network_in, network_out;
    uint64_t cpu_us, memory, memory_peak, pids, io_read, io_write, pressure_us, oom_kills;
    /* UINT64_MAX: not known */
    int64_t at_ms;    /* CLOCK_REALTIME as they were asked for; 0: now */
    const char *says; /* borrowed; as ui_row's */
    pid_t pid;        /* of the first process; 0: not known */
};
void ui_model_sample(struct ui_model *m, const char *id, enum state_phase phase,
                     const struct ui_sample *s);
void ui_model_stalled(struct ui_model *m, bool stalled);
void ui_model_silent(struct ui_model *m, const char *id, bool silent);
void ui_model_time(struct ui_model *m, int64_t now_ms);
void ui_model_profiles(struct ui_model *m, struct profile_entry *list, size_t count); /* taken */
void ui_model_explained(struct ui_model *m, const char *profile, const char *text);
void ui_model_text(struct ui_model *m, const char *title, const char *text); /* turns to it */
/* The same for one that is still to come; more of it; that it is whole. */
void ui_model_text_begin(struct ui_model *m, const char *title);
void ui_model_text_more(struct ui_model *m, const char *data, size_t size);
void ui_model_text_end(struct ui_model *m, bool failed);
/* numbers.c: the page of one workload's numbers. */
bool ui_shows_numbers(const struct ui_model *m);
bool ui_numbers_are_seen(const struct ui_model *m); /* on any page: only then are they asked for */
void ui_model_numbers(struct ui_model *m);          /* it is as they are now, if it is shown */
/* From the first line seen on; false: none has it. */
enum ui_search { UI_SEARCH_HERE, UI_SEARCH_NEXT, UI_SEARCH_PREVIOUS };
bool ui_text_search(struct ui_model *m, enum ui_search way);
void ui_model_text_again(struct ui_model *m, const char *text);        /* in its place, whole */
void ui_model_message(struct ui_model *m, bool bad, const char *text); /* a stranger's words too */
void ui_model_no_message(struct ui_model *m);
/* What leads out of its consoles; NULL: the default. */
void ui_model_keys(struct ui_model *m, const char *id, const char *detach_keys);
/* Which pane shows this console; NULL: none. */
struct ui_console *ui_pane_of(const struct ui_model *m, const char *id, uint32_t number);
struct ui_console *ui_pane(const struct ui_model *m); /* the chosen one; without an id: none */
void ui_pane_done(struct ui_console *c);
void ui_model_cells(struct ui_model *m, struct ui_console *c, const struct cells *cells);
/* More of what one without a terminal wrote; its newest lines as the pane's cells; all of it to be
 * looked back in (owned by the caller). */
void ui_model_output(struct ui_model *m, struct ui_console *c, const char *data, size_t size);
void ui_output_show(struct ui_model *m, struct ui_console *c, int rows, int cols);
struct ui_copy *ui_output_copy(const struct ui_console *c);
void ui_output_free(struct lines *l);
/* Into the file it is to be kept in, if there is one and all of it is here. */
void ui_copy_keep(struct ui_model *m, struct ui_copy *k);
/* Lines that stood above its screen; the `first`th of all and those behind it. */
void ui_model_history(struct ui_model *m, struct ui_console *c, uint64_t first,
                      const struct cell *const *lines, const uint16_t *cols, size_t count);

size_t ui_model_visible_count(const struct ui_model *m); /* items, without the names of groups */
/* The index of the selected among the items, or `items_count`. */
size_t ui_model_position(const struct ui_model *m);
/* The first item shown where there is room for so many: the chosen one is among them. */
size_t ui_list_from(const struct ui_model *m, int room);
struct ui_row *ui_model_row(const struct ui_model *m, const char *id); /* NULL: none */
struct ui_row *ui_model_selected(const struct ui_model *m);            /* NULL: none */

/* What stands where. `ret_pane` is all that panes have; with no rows: none is open. */
void ui_model_layout(const struct ui_model *m, struct ui_rect *ret_list, struct ui_rect *ret_pane);
/* Each pane's place; one with no rows is not seen. */
void ui_model_tiles(const struct ui_model *m, struct ui_rect ret[UI_PANES]);
/* What the pane of one more workload would have, beside those there are or in place of one. */
void ui_model_pane(const struct ui_model *m, bool beside, struct ui_rect *ret);
bool ui_model_has_room(const struct ui_model *m); /* for one more */
/* The first of its keys as people write it, "ctrl-]"; owned by the caller. */
char *ui_console_prefix(const struct ui_console *c);
size_t ui_profiles_rows(const struct ui_model *m, const struct ui_rect *list); /* seen at once */
bool ui_profiles_beside(const struct ui_rect *list); /* what one leaves open stands beside them */
enum { UI_PROFILES_COLS = 80 };                      /* of theirs then */
int ui_explained_width(const struct ui_rect *list);  /* of what one leaves open */
bool ui_model_too_small(const struct ui_model *m);

/* For lists and ages; `to` of at least 16 bytes. */
const char *ui_row_state(const struct ui_row *r, char *to, size_t room);
const char *ui_row_cpu(const struct ui_row *r, char *to, size_t room);
const char *ui_row_memory(const struct ui_row *r, char *to, size_t room);
const char *ui_row_age(const struct ui_row *r, int64_t now_ms, char *to, size_t room);

/* How many lines of the launch sheet stand above the window: the chosen one is seen. */
int ui_sheet_scroll(const struct ui_model *m);
/* Of a page of text: lines that are too long are read badly, there are more columns of them. */
int ui_text_columns(const struct ui_model *m);
int ui_text_width(const struct ui_model *m);  /* of one of them */
int ui_sheet_paths(const struct ui_model *m); /* how many completions stand below its lines */
int ui_sheet_rows(const struct ui_model *m);  /* of its lines, where the rest is for the dial */

void ui_intend(struct ui_model *m, enum ui_intent_kind kind, const char *id, const char *text,
               size_t size);
void ui_intend_console(struct ui_model *m, enum ui_intent_kind kind, const struct ui_console *c,
                       const char *text, size_t size);
bool ui_take_intent(struct ui_model *m,
                    struct ui_intent *ret); /* the oldest; its strings are yours */
void ui_intent_done(struct ui_intent *i);

#endif
