/* The pages of one workload's details: what each shows, and where its name stands. */
#ifndef COFFERDAM_UI_DETAILS_H
#define COFFERDAM_UI_DETAILS_H

#include <stdint.h>

struct ui_model;

enum ui_tab {
    UI_TAB_STATE,
    UI_TAB_REPORT,
    UI_TAB_LOG,
    UI_TAB_CHANGES,
    UI_TAB_NUMBERS,
    UI_TAB_PROCESSES, /* found out by the interface itself */
    UI_TAB_SNAPSHOTS, /* known already */
    UI_TAB_MOUNTS,
    UI_TAB_NETWORK,
    UI_TAB_CONSOLES,
    UI_TAB_EVENTS,
    UI_TABS,
};

struct ui_tab_row {
    const char *name, *title;
    uint32_t key;
    const char *verb[4]; /* words before the workload's id; none: no verb is asked */
};
extern const struct ui_tab_row ui_tabs[UI_TABS];

/* "1 plan", with the key as it is; owned by the caller. */
char *ui_tab_label(const struct ui_model *m, int tab);
/* Where it begins in the line of all names, of which the chosen one is always seen; -1: it is
 * not seen whole. */
int ui_tab_col(const struct ui_model *m, int tab);
/* Which one stands there: at the edges the one beside the chosen one; -1: none. */
int ui_tab_at(const struct ui_model *m, int col);
int ui_tab_of_key(uint32_t key);                  /* -1: none */

#endif
