/* Keys and mouse on the list: moving, marking, arranging, and what shows one workload. */
#include "ui/columns.h"
#include "ui/details.h"
#include "ui/update_inner.h"

void update_select_move(struct ui_model *m, long by)
{
    long count = (long)m->items_count, at = (long)ui_model_position(m);
    long to = at == count ? 0 : MAX(MIN(at + by, count - 1), 0L), step = by < 0 ? -1 : 1;
    if (!count)
        return;
    while (to >= 0 && to < count && m->items[to].kind == UI_ITEM_GROUP)
        to += step;
    if (to < 0 || to >= count) /* behind the last name of a group: stay, or take the nearest */
        for (to = MAX(MIN(to, count - 1), 0L); m->items[to].kind == UI_ITEM_GROUP; to -= step)
            ;
    const struct ui_item *it = &m->items[to];
    free(m->selected);
    m->selected =
        str_dup(it->kind == UI_ITEM_ROW ? m->list[it->index].id : m->snapshots[it->index].id);
}

void update_filter_key(struct ui_model *m, uint32_t key)
{
    struct ui_line *filter = m->page == UI_PAGE_IMAGES ? &m->images.filter : &m->filter;
    if (key == UI_KEY_ESC)
        update_line_set(filter, "");
    if (key == UI_KEY_ESC || key == UI_KEY_ENTER)
        m->dialog = UI_DIALOG_NONE;
    else
        update_line_key(filter, key);
    if (filter == &m->images.filter) {
        ui_images_arrange(m);
        return;
    }
    ui_model_arrange(m);
    if (ui_model_position(m) == m->items_count)
        update_select_move(m, 0);
}

/* --- marks --- */

static void mark(struct ui_model *m, uint32_t key)
{
    struct ui_row *r = ui_model_selected(m);
    if (key == ' ') {
        if (r)
            r->marked = !r->marked;
        update_select_move(m, 1);
        return;
    }
    if (key == 'U')
        for (size_t i = 0; i < m->count; i++)
            m->list[i].marked = false;
    else
        for (size_t i = 0; i < m->items_count; i++)
            if (m->items[i].kind == UI_ITEM_ROW)
                m->list[m->items[i].index].marked = true;
}

static void row_key(struct ui_model *m, const struct ui_row *r, uint32_t key)
{
    bool lives = state_phase_lives(r->phase);
    switch (key) {
    case UI_KEY_ENTER:
        if (lives)
            update_console_open(m, r, false);
        else
            update_details(m, r->id, UI_TAB_REPORT); /* what is left of it is its report */
        break;
    case '+':
        if (lives)
            update_console_open(m, r, true);
        else
            ui_model_message(m, false, "it is not running");
        break;
    case 'i':
    case UI_KEY_RIGHT:
        update_details(m, r->id, UI_TAB_STATE);
        break;
    case 't':
        m->page = UI_PAGE_GRAPHS;
        break;
    case 'R':
        update_details(m, r->id, 1);
        break;
    case 'l':
        update_details(m, r->id, 2);
        break;
    case 'd':
        update_details(m, r->id, 3);
        break;
    case 'e':
        if (lives)
            ui_intend(m, UI_INTENT_SHELL, r->id, NULL, 0);
        else
            ui_model_message(m, false, "it is not running");
        break;
    }
}

/* --- arranging --- */

static void sort_key(struct ui_model *m, uint32_t key)
{
    static const char *const how[] = {"as a list", "as a tree: workload, snapshot, clone",
                                      "by profile", "by boundary", "by label"};
    if (key == 'v') {
        m->arrange = (m->arrange + 1) % UI_ARRANGE_COUNT;
        ui_model_message(m, false, how[m->arrange]);
    } else if (key == '-') {
        m->sort_turned = !m->sort_turned;
    } else {
        int by = key == '<' ? UI_COL_COUNT : 1;
        do
            m->sort = (m->sort + by) % (UI_COL_COUNT + 1);
        while (m->sort == UI_COL_GRAPH);
        autofree char *text =
            str_format("sorted by %s; - turns it round",
                       m->sort == UI_COL_COUNT ? "their start" : ui_columns[m->sort].name);
        ui_model_message(m, false, text);
    }
    ui_model_arrange(m);
}

static void escape(struct ui_model *m)
{
    if (ui_pane(m)->id)
        update_console_close(m);
    else if (m->filter.used)
        update_line_set(&m->filter, "");
    else
        mark(m, 'U');
    ui_model_arrange(m);
}

void update_list_key(struct ui_model *m, uint32_t key)
{
    const struct ui_row *r = ui_model_selected(m);
    const struct ui_snapshot *s = ui_model_snapshot(m);
    bool many = strchr(UPDATE_MANY_KEYS, key < 0x80 ? (int)key : 0) && key && key < 0x80;
    long by = key == ' ' ? 0 : update_movement(m, key);
    if (by)
        update_select_move(m, by);
    else if (key == '/')
        m->dialog = UI_DIALOG_FILTER;
    else if (key == ' ' || key == '*' || key == 'U')
        mark(m, key);
    else if (key == 'v' || key == '<' || key == '>' || key == '-')
        sort_key(m, key);
    else if (key == UI_KEY_TAB && ui_pane(m)->id && ui_pane(m)->streams)
        update_copy_begin(m); /* it takes no keys: they move in what it wrote */
    else if (key == UI_KEY_TAB && ui_pane(m)->id)
        update_console_choose(m, m->pane);
    else if (key == '[' && ui_pane(m)->id)
        update_copy_begin(m);
    else if (key == UI_KEY_ESC)
        escape(m);
    else if ((many || key == UI_KEY_DELETE) && (r || ui_model_marked(m)))
        update_many_key(m, key);
    else if (r && !update_show_key(m, key))
        row_key(m, r, key);
    else if (s && strchr("cBxX\r", (int)(key < 0x80 ? key : 1)) && key)
        update_snapshot_key(m, s, key == UI_KEY_ENTER ? 'c' : key);
}

/* --- the mouse --- */

static void mouse_heading(struct ui_model *m, int col)
{
    int at = 1;
    for (int c = 0; c < UI_COL_COUNT; c++) {
        int width = c == UI_COL_COMMAND ? m->cols : ui_column_width(m, (enum ui_column)c);
        if (width && col >= at && col <= at + width && c != UI_COL_GRAPH) {
            m->sort_turned = m->sort == c && !m->sort_turned;
            m->sort = c;
            ui_model_arrange(m);
            return;
        }
        at += width ? width + 1 : 0;
    }
}

void update_list_mouse(struct ui_model *m, const struct ui_mouse *at)
{
    struct ui_rect list, pane;
    ui_model_layout(m, &list, &pane);
    if (pane.rows > 0 && at->row >= pane.row - 1)
        return;
    m->focus = UI_FOCUS_LIST;
    if (at->row == list.row) {
        mouse_heading(m, at->col);
        return;
    }
    size_t item = ui_list_from(m, list.rows - 1) + (size_t)MAX(at->row - list.row - 1, 0);
    if (at->row <= list.row || item >= m->items_count || m->items[item].kind == UI_ITEM_GROUP)
        return;
    bool again = item == ui_model_position(m);
    update_select_move(m, (long)item - (long)ui_model_position(m));
    if (again && ui_model_selected(m))
        update_list_key(m, UI_KEY_ENTER);
}
