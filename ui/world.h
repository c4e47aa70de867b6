/* The interface's ways to the world: monitors, our own program's verbs. Nothing in here waits. */
#ifndef COFFERDAM_UI_WORLD_H
#define COFFERDAM_UI_WORLD_H

#include "base/dirs.h"
#include "console/client.h"
#include "ui/model.h"
#include "ui/module.h"
#include "ui/scout.h"

#include <poll.h>

/*
 * A connection to one living workload's monitor. One whose console is seen has two: figures that
 * came with what its console shows would wake us a second time each second.
 */
struct world_link {
    char *id;                /* owned */
    struct client *client;   /* owned */
    struct world *world;     /* borrowed */
    bool closed;             /* to be freed at the next round */
    bool eager;              /* what it says is read at once; else with the next second's look */
    bool awaits;             /* the answer to something the person asked for */
    bool behind;             /* its main console is typed into without being seen */
    bool answered;           /* once at least */
    struct ui_intent launch; /* owned; begun by us and not heard of yet; no id: otherwise */
    char *name;              /* owned; of a launch */
    int64_t asked_ms;        /* for its state; 0: answered */
    struct buf wrote;        /* what a workload without a terminal wrote, not in its pane yet */
    bool follows;            /* and it is told more of it */
};

/* Our own program doing something, and what it said so far. */
struct world_job {
    struct ui_intent intent; /* owned */
    int output, pidfd;       /* owned; no output any more: its end is waited for */
    int socket;              /* owned; of a launch, else FD_NONE */
    struct buf said;
    bool dropped;  /* nobody wants it any more */
    unsigned task; /* of the model's; 0: it is not shown */
    char *title;   /* owned or NULL; its */
    char **args;   /* owned; not begun yet: it waits for those before it; else NULL */
    bool telling;  /* a record has begun */
    struct buf record;
};

struct world {
    const struct ui_host *host; /* borrowed */
    struct ui_model *model;     /* borrowed */
    struct dirs dirs;
    struct world_link **links; /* owned */
    size_t links_count;
    struct world_job **jobs; /* owned */
    size_t jobs_count;
    struct scout scout;                 /* who reads the files */
    struct world_others *others;        /* owned; domains of other programs */
    bool look;                          /* all of them are to be read again */
    bool collecting;                    /* answers of the second before are being read */
    size_t collected;                   /* of so many links */
    unsigned turn;                      /* whose numbers beyond the screen are due */
    size_t next_link;                   /* read first: none waits for ever */
    size_t watched_links, watched_jobs; /* so many of them as world_watch() was called */
    char *copied;                       /* owned or NULL: for the terminal's clipboard */
    struct ui_intent edit;              /* owned; no text: none is wanted */
    struct ui_settings settings;        /* to be put into effect, if `settings_new` */
    bool settings_known, settings_new, profiles_known;
    bool quit, ring, mouse; /* mouse: it may have changed hands */
    bool suspend;           /* the shell is wanted for a while */
    bool look_soon;         /* something ended: not only at the next second */
    bool output_waits;      /* there is more to be put into panes at once */
};

/* Begins to read the settings and nothing else: the model is touched by world_news() first. */
int world_init(struct world *w, const struct ui_host *host, struct ui_model *m, struct error *e);
void world_done(struct world *w);

void world_refresh(struct world *w);                      /* all anew */
bool world_collect(struct world *w);                      /* true: keys come first, then again */
void world_tick(struct world *w);                         /* each second */
void world_news(struct world *w);                         /* what the files say, if it is known */
void world_carry_out(struct world *w);                    /* the model's intents */
size_t world_watch(struct world *w, struct pollfd **ret); /* fds; `*ret` is the caller's */
void world_dispatch(struct world *w, const struct pollfd *fds, size_t count);

void world_profiles(struct world *w); /* their list, to be read anew */

/* world_links.c */
int64_t world_now_ms(void);                                                /* CLOCK_REALTIME */
struct world_link *world_link_find(const struct world *w, const char *id); /* NULL: none */
struct world_link *world_link_want(struct world *w, const char *id, struct error *e);
/* For figures: not the one that is read at once, unless no other can be had. */
struct world_link *world_link_to_look(struct world *w, const char *id, struct error *e);
void world_link_free(struct world_link *l);
void world_links_sweep(struct world *w); /* those that are closed */

/* world_consoles.c */
bool world_consoles_carry_out(struct world *w, const struct ui_intent *i); /* false: not for it */
void world_consoles_size(struct world *w);
void world_consoles_output(struct world *w); /* some of what those without a terminal wrote */
void world_consoles_behind(struct world *w); /* those nobody types into any more */

/* world_jobs.c */
void world_start_job(struct world *w, struct ui_intent *intent,
                     const char *const *args); /* intent is taken */
/* The same for what takes its time: it is shown, and can be given up. A few at once; the others
 * wait. */
void world_start_task(struct world *w, struct ui_intent *intent, const char *title,
                      const char *const *args);
void world_start_launch(struct world *w, struct ui_intent *intent, const char *const *args);
/* A copy of ours that runs `work`, which borrows `data` (as it is now). */
void world_start_aside(struct world *w, struct ui_intent *intent,
                       int (*work)(int fd, const void *data), const void *data);
void world_start_waiting(struct world *w); /* as many as there is room for */
void world_jobs_sweep(struct world *w);    /* those given up before they began; then the same */
bool world_read_job(struct world *w, struct world_job *j); /* false: it is over and freed */
void world_free_job(struct world_job *j);
void world_give_up(struct world *w, unsigned task);
void world_end_page(struct world *w);    /* what still writes a page of text ends */
void world_end_readers(struct world *w); /* so does whatever nobody reads any more */

/*
 * world_others.c: domains of other programs, as `domain watch` tells of them. What it has said last
 * stays, with the reason, while a daemon does not answer, or it has ended itself: it is begun anew.
 */
struct world_others *world_others_new(void); /* begun by world_others_again() or _tick() */
void world_others_free(struct world_others *o);
int world_others_fd(const struct world_others *o); /* FD_NONE: nobody tells anything any more */
void world_others_read(struct world *w);
void world_others_tick(struct world *w);  /* each second */
void world_others_again(struct world *w); /* one that has ended is begun anew at once */
/* `list` (taken; NULL: as it was) are our own; the model gets both. */
void world_others_list(struct world *w, struct state_record *list, size_t count);

/* world_images.c */
void world_images(struct world *w); /* what there is of them, anew */
void world_images_said(struct world *w, const char *said, size_t size, bool failed);

/* world_sheet.c, world_host.c */
void world_sheet_dial(struct world *w, const char *file, const char *said, size_t size);
void world_host_facts(struct world *w);

/* world_aside.c: what is asked for is told when it is known; intents are taken */
void world_processes(struct world *w, const char *id);
void world_keep(struct world *w, struct ui_intent *i);
void world_keys(struct world *w, const char *id); /* those that lead out of its console */
void world_sheet_save(struct world *w, struct ui_intent *i);

/* world_links.c: a launch's connection (taken), with its console attached already; so is the
 * intent. */
void world_adopt(struct world *w, const char *id, const char *name, int fd,
                 struct ui_intent *intent);

#endif
