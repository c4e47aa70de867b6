/* What the files of update.h share. */
#ifndef COFFERDAM_UI_UPDATE_INNER_H
#define COFFERDAM_UI_UPDATE_INNER_H

#include "ui/bindings.h"
#include "ui/update.h"

/* update_lines.c */
void update_line_set(struct ui_line *l, const char *text);
bool update_line_key(struct ui_line *l, uint32_t key); /* true if the key was one for it */

/* update.c: what moves, alike in every list; 0: the key is none of them. */
enum { UPDATE_ENDS = 100000 }; /* to the first or the last */
long update_movement(const struct ui_model *m, uint32_t key);

/* update_help.c */
enum ui_where ui_where(const struct ui_model *m); /* of the page that is shown */
void update_help(struct ui_model *m, enum ui_where where);

/* update_list.c */
void update_list_key(struct ui_model *m, uint32_t key);
void update_list_mouse(struct ui_model *m, const struct ui_mouse *at);
void update_select_move(struct ui_model *m, long by);
void update_filter_key(struct ui_model *m, uint32_t key);

/* update_actions.c: to the chosen one, or to all that are marked. */
#define UPDATE_MANY_KEYS "sKpxXSABcyYLw"
void update_many_key(struct ui_model *m, uint32_t key);
void update_snapshot_key(struct ui_model *m, const struct ui_snapshot *s, uint32_t key);
char **update_targets(const struct ui_model *m); /* ids, owned by the caller; NULL: none */
/* What shows workloads shows all that are marked, if the chosen one is marked as well. */
bool update_show_key(struct ui_model *m, uint32_t key); /* true: it was that */

/* update_ask.c: what destroys is named and asked for once. */
void update_ask(struct ui_model *m, enum ui_intent_kind kind, char **ids, const char *verb,
                const char *note); /* ids are taken */
void update_ask_about(struct ui_model *m, enum ui_intent_kind kind, char **ids,
                      const char *question); /* ids are taken */
void update_ask_args(struct ui_model *m, char *args, bool page, const char *question); /* taken */
void update_ask_all(struct ui_model *m, char **args, bool page, const char *question); /* taken */
void update_confirm_key(struct ui_model *m, uint32_t key);

/* update_text.c */
void update_text_key(struct ui_model *m, uint32_t key);
void update_search_open(struct ui_model *m);
void update_search_key(struct ui_model *m, uint32_t key);
void update_text_leave(struct ui_model *m);
/* How many lines from there on, or before it, have so many rows: no row is passed over. */
long update_page_lines(char *const *lines, size_t from, long by, int width);
/* A page of what a verb prints. The words end with NULL. */
void update_page(struct ui_model *m, const char *title, const char *const *words);
void update_details(struct ui_model *m, const char *id, int tab);         /* enum ui_tab */
bool update_details_mouse(struct ui_model *m, const struct ui_mouse *at); /* true: on its names */

/* update_sheet.c */
void update_sheet_open(struct ui_model *m, enum ui_field field);
void update_sheet_key(struct ui_model *m, uint32_t key);
void update_sheet_choose(struct ui_model *m, enum ui_field field);
void update_sheet_take(struct ui_model *m, size_t nth); /* of its completions */
void update_profile_move(struct ui_model *m, int by);

/* update_command.c */
void update_command_open(struct ui_model *m, const char *begun);
void update_command_key(struct ui_model *m, uint32_t key);
bool update_command_mouse(struct ui_model *m, const struct ui_mouse *at); /* true: on the hint */
/* Words, joined as UI_INTENT_DO and the like want them; owned by the caller. */
char *update_args(const char *const *words);
char *ui_command_hint(const struct ui_model *m); /* what could follow; owned by the caller */

/* update_console.c */
void update_console_open(struct ui_model *m, const struct ui_row *r, bool beside);
void update_console_close(struct ui_model *m);               /* the chosen one */
void update_console_choose(struct ui_model *m, size_t pane); /* its number, round the end */
/* Bytes up to the chord's first key go to the workload as they are. Returns how many were taken. */
size_t update_console_input(struct ui_model *m, const char *data, size_t size);

/* update_copy.c: what a console showed before, to be searched, copied and saved. */
void update_copy_begin(struct ui_model *m); /* of the chosen pane */
void update_copy_end(struct ui_model *m);
void update_copy_take(struct ui_model *m); /* what is selected; then it ends */
void update_copy_key(struct ui_model *m, uint32_t key);
size_t update_copy_input(struct ui_model *m, const char *data, size_t size, bool last);
void update_copy_search(struct ui_model *m);
void update_keep_key(struct ui_model *m, uint32_t key);

/* tour.c; true: it was for the tour */
bool update_tour_key(struct ui_model *m, uint32_t key);
bool update_tour_mouse(struct ui_model *m, const struct ui_mouse *at);

/* update_images.c */
void update_images_open(struct ui_model *m);
void update_images_key(struct ui_model *m, uint32_t key);
void update_images_mouse(struct ui_model *m, const struct ui_mouse *at);
char **update_images_targets(const struct ui_model *m); /* names, owned by the caller */

/* update_tasks.c */
void update_tasks_ask(struct ui_model *m);
bool update_tasks_mouse(struct ui_model *m, const struct ui_mouse *at); /* true: it was for them */
void update_quit(struct ui_model *m); /* what waits would never be done: that is asked for */
bool update_task_given_up(struct ui_model *m, const char *number);

/* update_mouse.c */
void update_mouse(struct ui_model *m, const struct ui_mouse *at);

#endif
