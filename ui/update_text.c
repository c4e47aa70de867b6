/* Pages of text: scrolled, searched, left; the tabs of a workload's details. */
#include "ui/details.h"
#include "ui/fits.h"
#include "ui/update_inner.h"

#include <stdlib.h>

/* --- details --- */

void update_page(struct ui_model *m, const char *title, const char *const *words)
{
    autofree char *args = update_args(words);
    if (m->page == UI_PAGE_TEXT && m->text_loading)
        ui_intend(m, UI_INTENT_PAGE_END, NULL, NULL, 0);
    ui_model_text_begin(m, title);
    free(TAKE(m->text_id)); /* it is of no workload's details, unless somebody says so */
    ui_intend(m, UI_INTENT_PAGE, title, args, strlen(args));
}

bool ui_shows_processes(const struct ui_model *m)
{
    return m->page == UI_PAGE_TEXT && m->text_id && m->text_tab == UI_TAB_PROCESSES;
}

/* Those taken of it, the newest first, and what has been started from each. */
static char *snapshots_text(const struct ui_model *m, const char *id)
{
    struct buf b = {0};
    const struct ui_row *r = ui_model_row(m, id);
    for (size_t i = 0; i < m->snapshots_count; i++) {
        const struct ui_snapshot *s = &m->snapshots[i];
        char size[32], age[32];
        if (!str_equal(s->workload, id))
            continue;
        buf_printf(&b, "%s  %s: %s, %s, taken %s ago\n", s->id, s->name, s->kind,
                   s->bytes == UINT64_MAX ? "of unknown size"
                                          : str_from_size(s->bytes, size, sizeof(size)),
                   str_from_duration((uint64_t)MAX(m->now_ms - s->created_ms, (int64_t)0), age,
                                     sizeof(age)));
        for (size_t k = 0; k < m->count; k++)
            if (str_equal(m->list[k].snapshot, s->id))
                buf_printf(&b, "    started from it: %s\n", m->list[k].name);
    }
    if (r && r->snapshot)
        buf_printf(&b, "it was itself started from %s\n", r->snapshot);
    if (m->snapshots_failed)
        buf_printf(&b, "snapshots: %s\n", m->snapshots_failed);
    else if (!m->snapshots_known)
        buf_puts(&b, "looking…\n");
    if (!b.used)
        buf_puts(&b, "no snapshot was taken of it; S in the list takes one\n");
    return buf_take(&b);
}

void ui_model_snapshots_page(struct ui_model *m)
{
    if (m->page != UI_PAGE_TEXT || !m->text_id || m->text_tab != UI_TAB_SNAPSHOTS)
        return;
    autofree char *text = snapshots_text(m, m->text_id);
    ui_model_text_again(m, text);
}

void update_details(struct ui_model *m, const char *id, int tab)
{
    const struct ui_row *r = ui_model_row(m, id);
    const struct ui_tab_row *t = &ui_tabs[tab];
    autofree char *of = str_dup(id);
    autofree char *title = str_format("%s: %s", r ? r->name : id, t->title);
    const char *words[ARRAY_SIZE(t->verb) + 2] = {0};
    size_t n = 0;
    for (; n < ARRAY_SIZE(t->verb) && t->verb[n]; n++)
        words[n] = t->verb[n];
    words[n] = of;
    if (!n && m->page == UI_PAGE_TEXT && m->text_loading)
        ui_intend(m, UI_INTENT_PAGE_END, NULL, NULL, 0);
    if (n) {
        update_page(m, title, words);
    } else if (tab == UI_TAB_SNAPSHOTS) {
        autofree char *text = snapshots_text(m, of);
        ui_model_text(m, title, text);
    } else if (tab == UI_TAB_NUMBERS) {
        ui_model_text(m, title, "");
        ui_intend(m, UI_INTENT_NUMBERS, NULL, NULL, 0);
    } else {
        ui_model_text_begin(m, title);
        ui_intend(m, UI_INTENT_PROCESSES, of, NULL, 0);
    }
    free(m->text_id);
    m->text_id = TAKE(of);
    m->text_tab = tab;
    ui_model_numbers(m);
}

bool update_details_mouse(struct ui_model *m, const struct ui_mouse *at)
{
    struct ui_rect list, pane;
    ui_model_layout(m, &list, &pane);
    if (m->page != UI_PAGE_TEXT || !m->text_id || at->row != list.row)
        return false;
    int tab = ui_tab_at(m, at->col);
    if (tab >= 0)
        update_details(m, m->text_id, tab);
    return true;
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

static void search(struct ui_model *m, enum ui_search way)
{
    if (!ui_text_search(m, way))
        ui_model_message(m, false, m->text_seeks ? "that is not in it yet" : UI_NOT_IN_IT);
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
        search(m, UI_SEARCH_HERE);
    if (key == UI_KEY_ESC || key == UI_KEY_ENTER)
        m->dialog = UI_DIALOG_NONE;
    else
        update_line_key(&m->search, key);
}

long update_page_lines(char *const *lines, size_t from, long by, int width)
{
    long rows = labs(by), n = 0;
    for (; lines && rows > 0; n++) {
        long at = (long)from + (by < 0 ? -n - 1 : n);
        if (at < 0 || !lines[at])
            break;
        rows -= fits_rows(lines[at], width);
        if (rows < 0 && n)
            break;
    }
    return by < 0 ? -n : n;
}

void update_text_key(struct ui_model *m, uint32_t key)
{
    long by = update_movement(m, key), count = (long)m->text_count;
    if (labs(by) > 1 && labs(by) < UPDATE_ENDS) /* a page: of rows */
        by = update_page_lines(m->text, m->text_scroll, by, ui_text_width(m));
    long most =
        MAX(count - 3, 0L); /* long lines take more than one row: some rest is always seen */
    bool details = m->text_id != NULL;
    m->text_seeks = false;
    if (by)
        m->text_scroll = (size_t)MAX(MIN((long)m->text_scroll + by, most), 0L);
    else if (key == '/')
        update_search_open(m);
    else if (key == 'n' || key == 'N')
        search(m, key == 'n' ? UI_SEARCH_NEXT : UI_SEARCH_PREVIOUS);
    else if (details && (key == UI_KEY_RIGHT || key == UI_KEY_TAB))
        update_details(m, m->text_id, (m->text_tab + 1) % UI_TABS);
    else if (details && m->text_tab && (key == UI_KEY_LEFT || key == UI_KEY_BACK_TAB))
        update_details(m, m->text_id, m->text_tab - 1);
    else if (details && ui_tab_of_key(key) >= 0)
        update_details(m, m->text_id, ui_tab_of_key(key));
    else if (key == UI_KEY_ESC || key == UI_KEY_LEFT || key == UI_KEY_ENTER)
        update_text_leave(m);
}
