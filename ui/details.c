#include "ui/details.h"

#include "ui/model.h"

// clang-format off
const struct ui_tab_row ui_tabs[UI_TABS] = {
    [UI_TAB_STATE]     = {"plan",      "state and plan", '1', {"inspect"}},
    [UI_TAB_REPORT]    = {"report",    "report",         '2', {"report"}},
    [UI_TAB_LOG]       = {"log",       "log",            '3', {"logs"}},
    [UI_TAB_CHANGES]   = {"changes",   "changes",        '4', {"diff"}},
    [UI_TAB_NUMBERS]   = {"numbers",   "numbers",        '5', {NULL}},
    [UI_TAB_PROCESSES] = {"processes", "processes",      '6', {NULL}},
    [UI_TAB_SNAPSHOTS] = {"snapshots", "snapshots",      '7', {NULL}},
    [UI_TAB_MOUNTS]    = {"mounts",    "mounts",         '8', {"inspect", "--part", "mounts"}},
    [UI_TAB_NETWORK]   = {"network",   "network",        '9', {"inspect", "--part", "network"}},
    [UI_TAB_CONSOLES]  = {"consoles",  "consoles",       '0', {"inspect", "--part", "consoles"}},
    [UI_TAB_EVENTS]    = {"events",    "what happened",  'e', {"inspect", "--part", "events"}},
};
// clang-format on

enum { BETWEEN = 2 };

char *ui_tab_label(const struct ui_model *m, int tab)
{
    char key[16];
    return str_format("%s %s", ui_bindings_name(&m->bindings, UI_IN_TEXT, ui_tabs[tab].key, key),
                      ui_tabs[tab].name);
}

static int width_of(const struct ui_model *m, int tab)
{
    autofree char *label = ui_tab_label(m, tab);
    return (int)strlen(label);
}

/* The first that is seen: so many are left out that the chosen one fits. */
static int first_of(const struct ui_model *m)
{
    int first = 0, end = 1;
    for (int i = 0; i <= m->text_tab; i++)
        end += width_of(m, i) + BETWEEN;
    while (first < m->text_tab && end - BETWEEN > m->cols - 2)
        end -= width_of(m, first++) + BETWEEN;
    return first;
}

int ui_tab_col(const struct ui_model *m, int tab)
{
    int col = 1, first = first_of(m);
    if (tab < first)
        return -1;
    for (int i = first; i < tab; i++)
        col += width_of(m, i) + BETWEEN;
    return col + width_of(m, tab) <= m->cols - 2 ? col : -1;
}

int ui_tab_at(const struct ui_model *m, int col)
{
    int more = col == 0 ? m->text_tab - 1 : col == m->cols - 1 ? m->text_tab + 1 : -1;
    if (more >= 0 && more < UI_TABS)
        return more;
    for (int i = 0; i < UI_TABS; i++) {
        int from = ui_tab_col(m, i);
        if (from >= 0 && col >= from && col < from + width_of(m, i))
            return i;
    }
    return -1;
}

int ui_tab_of_key(uint32_t key)
{
    for (int i = 0; i < UI_TABS; i++)
        if (ui_tabs[i].key == key)
            return i;
    return -1;
}
