/* Pages of text: scrolled, searched, left; the tabs of a workload's details. */
#include "ui/update_inner.h"

#include <strings.h>

/* --- details --- */

enum { TABS = 6 };
static const struct {
    const char *name, *verb[3];
} tabs[TABS] = {
    {"state and plan", {"inspect"}         },
    {"report",         {"report"}          },
    {"log",            {"logs"}            },
    {"changes",        {"diff"}            },
    {"numbers",        {"stats", "--watch"}},
    {"processes",      {NULL}              }, /* found out by the interface itself */
};

void update_page(struct ui_model *m, const char *title, const char *const *words)
{
    autofree char *args = update_args(words);
    if (m->page == UI_PAGE_TEXT && m->text_loading)
        ui_intend(m, UI_INTENT_PAGE_END, NULL, NULL, 0);
    ui_model_text_begin(m, title);
    ui_intend(m, UI_INTENT_PAGE, title, args, strlen(args));
}

bool ui_shows_processes(const struct ui_model *m)
{
    return m->page == UI_PAGE_TEXT && m->text_id && !tabs[m->text_tab].verb[0];
}

void update_details(struct ui_model *m, const char *id, int tab)
{
    const struct ui_row *r = ui_model_row(m, id);
    autofree char *of = str_dup(id);
    autofree char *title = str_format("%s: %s", r ? r->name : id, tabs[tab].name);
    const char *words[4] = {0};
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_SIZE(tabs[tab].verb) && tabs[tab].verb[i]; i++)
        words[n++] = tabs[tab].verb[i];
    words[n] = of;
    if (n) {
        update_page(m, title, words);
    } else {
        if (m->page == UI_PAGE_TEXT && m->text_loading)
            ui_intend(m, UI_INTENT_PAGE_END, NULL, NULL, 0);
        ui_model_text_begin(m, title);
        ui_intend(m, UI_INTENT_PROCESSES, of, NULL, 0);
    }
    free(m->text_id);
    m->text_id = TAKE(of);
    m->text_tab = tab;
}

/* --- text --- */

void update_text_leave(struct ui_model *m)
{
    ui_intend(m, UI_INTENT_PAGE_END, NULL, NULL, 0);
    m->page = m->text_back;
    m->text_loading = false;
    free(TAKE(m->text_id));
    if (m->text_to_sheet)
        m->dialog = UI_DIALOG_LAUNCH;
    m->text_to_sheet = false;
}

static void search_next(struct ui_model *m, bool here)
{
    size_t count = m->text_count;
    for (size_t i = here ? 0 : 1; m->search.used && i <= count; i++) {
        size_t at = (m->text_scroll + i) % (count ? count : 1);
        if (at < count && strcasestr(m->text[at], m->search.text)) {
            m->text_scroll = at;
            return;
        }
    }
    ui_model_message(m, false, "that is not in it");
}

void update_search_open(struct ui_model *m)
{
    update_line_set(&m->search, "");
    m->dialog = UI_DIALOG_SEARCH;
}

void update_search_key(struct ui_model *m, uint32_t key)
{
    if (key == UI_KEY_ESC)
        update_line_set(&m->search, "");
    if (key == UI_KEY_ENTER && m->page == UI_PAGE_LIST)
        update_copy_search(m);
    else if (key == UI_KEY_ENTER)
        search_next(m, true);
    if (key == UI_KEY_ESC || key == UI_KEY_ENTER)
        m->dialog = UI_DIALOG_NONE;
    else
        update_line_key(&m->search, key);
}

void update_text_key(struct ui_model *m, uint32_t key)
{
    long by = update_movement(m, key), count = (long)m->text_count;
    long most =
        MAX(count - 3, 0L); /* long lines take more than one row: some rest is always seen */
    bool details = m->text_id != NULL;
    if (by)
        m->text_scroll = (size_t)MAX(MIN((long)m->text_scroll + by, most), 0L);
    else if (key == '/')
        update_search_open(m);
    else if (key == 'n' || key == 'N')
        search_next(m, false);
    else if (details && (key == UI_KEY_RIGHT || key == UI_KEY_TAB))
        update_details(m, m->text_id, (m->text_tab + 1) % TABS);
    else if (details && m->text_tab && (key == UI_KEY_LEFT || key == UI_KEY_BACK_TAB))
        update_details(m, m->text_id, m->text_tab - 1);
    else if (details && key >= '1' && key < '1' + TABS)
        update_details(m, m->text_id, (int)(key - '1'));
    else if (key == UI_KEY_ESC || key == UI_KEY_LEFT || key == UI_KEY_ENTER)
        update_text_leave(m);
}
