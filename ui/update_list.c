/* Keys and mouse on the list: moving, marking, and what is done to a workload or to all marked. */
#include "ui/columns.h"
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
    if (key == UI_KEY_ESC)
        update_line_set(&m->filter, "");
    if (key == UI_KEY_ESC || key == UI_KEY_ENTER)
        m->dialog = UI_DIALOG_NONE;
    else
        update_line_key(&m->filter, key);
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

/* All marked, or the chosen one: ids, those alone that `live` if that is asked for. */
static char **targets(const struct ui_model *m, bool live)
{
    char **ids = NULL;
    const struct ui_row *r = ui_model_selected(m);
    bool marked = ui_model_marked(m) > 0;
    for (size_t i = 0; i < m->count; i++)
        if ((marked ? m->list[i].marked : &m->list[i] == r) &&
            (!live || state_phase_lives(m->list[i].phase)))
            strv_add(&ids, m->list[i].id);
    return ids;
}

/* --- actions --- */

static bool any_lives(const struct ui_model *m, char *const *ids)
{
    for (; ids && *ids; ids++)
        if (state_phase_lives(ui_model_row(m, *ids)->phase))
            return true;
    return false;
}

static void pause_all(struct ui_model *m, char *const *ids)
{
    bool all = true; /* paused already: then they go on */
    for (char *const *id = ids; *id; id++)
        all &= ui_model_row(m, *id)->phase == STATE_PAUSED;
    for (char *const *id = ids; *id; id++)
        ui_intend(m, all ? UI_INTENT_RESUME : UI_INTENT_PAUSE, *id, NULL, 0);
}

static void snapshot_all(struct ui_model *m, char *const *ids)
{
    for (; *ids; ids++) {
        autofree char *args = update_args((const char *const[]){"snapshot", "create", *ids, NULL});
        ui_intend(m, UI_INTENT_DO, *ids, args, strlen(args));
    }
    ui_model_message(m, false, "taking a snapshot…");
}

static const struct ui_snapshot *newest_of(const struct ui_model *m, const char *id)
{
    const struct ui_row *r = ui_model_row(m, id);
    const struct ui_snapshot *found = NULL;
    for (size_t i = 0; i < m->snapshots_count; i++) {
        const struct ui_snapshot *s = &m->snapshots[i];
        bool of = str_equal(s->workload, id) || (r && str_equal(s->workload_name, r->name));
        if (of && (!found || s->created_ms > found->created_ms))
            found = s;
    }
    return found;
}

static void snapshot_use(struct ui_model *m, const struct ui_snapshot *s, uint32_t key)
{
    if (!s) {
        ui_model_message(m, false, "there is no snapshot of it; S takes one");
    } else if (key == 'c') {
        autofree char *args = update_args((const char *const[]){"clone", s->id, NULL});
        ui_intend(m, UI_INTENT_DO, NULL, args, strlen(args));
        ui_model_message(m, false, "starting a clone…");
    } else if (key == 'B') {
        autofree char *question =
            str_format("Bring %s back as %s has it? What runs of it is ended, and what it did "
                       "since is lost.",
                       s->workload_name, s->name);
        char *args =
            update_args((const char *const[]){"snapshot", "restore", "--force", s->id, NULL});
        update_ask_args(m, args, false, question);
    } else {
        autofree char *question = str_format("Remove the snapshot %s?", s->name);
        char *args = update_args((const char *const[]){"snapshot", "rm", "--force", s->id, NULL});
        update_ask_args(m, args, false, question);
    }
}

static void copy(struct ui_model *m, const struct ui_row *r, bool out)
{
    autofree char *begun = out ? str_format("cp %s:", r->name) : str_format("cp ./ %s:", r->name);
    update_command_open(m, begun);
    if (!out)
        ui_model_message(m, false, "cp FILE NAME:PATH");
}

static void restart_all(struct ui_model *m, char **ids)
{
    char **words = NULL;
    strv_add(&words, "restart");
    for (char *const *id = ids; *id; id++)
        strv_add(&words, *id);
    autofree char *names = ids[1] ? str_format("these %zu", strv_length(ids))
                                  : str_dup(ui_model_row(m, ids[0])->name);
    autofree char *question = str_format(
        "Start %s again? What runs is ended; files stay, what is in memory is lost.", names);
    update_ask_args(m, update_args((const char *const *)words), false, question);
    strv_free(words);
    strv_free(ids);
}

/* What ends, stops or loses something, to all of them. */
static void many_key(struct ui_model *m, uint32_t key)
{
    bool remove = key == 'x' || key == 'X' || key == UI_KEY_DELETE;
    char **ids = targets(m, !remove && key != 'A');
    if (key == 'A' && ids) {
        restart_all(m, ids);
        return;
    }
    if (!ids) {
        ui_model_message(m, false, "it is not running; x removes it");
        return;
    }
    if (key == 'p' || key == 'S') {
        if (key == 'p')
            pause_all(m, ids);
        else
            snapshot_all(m, ids);
        strv_free(ids);
        return;
    }
    bool several = ids[1] != NULL;
    if (remove)
        update_ask(m, UI_INTENT_REMOVE, ids, "Remove",
                   !any_lives(m, ids) ? ""
                   : several          ? " Those that run will be killed."
                                      : " It is running: it will be killed.");
    else
        update_ask(m, key == 's' ? UI_INTENT_STOP : UI_INTENT_KILL, ids,
                   key == 's' ? "Stop" : "Kill", "");
}

static void row_key(struct ui_model *m, const struct ui_row *r, uint32_t key)
{
    bool lives = state_phase_lives(r->phase);
    switch (key) {
    case UI_KEY_ENTER:
        if (lives)
            update_console_open(m, r, false);
        else
            update_details(m, r->id, 1); /* what is left of it is its report */
        break;
    case '+':
        if (lives)
            update_console_open(m, r, true);
        else
            ui_model_message(m, false, "it is not running");
        break;
    case 'i':
    case UI_KEY_RIGHT:
        update_details(m, r->id, 0);
        break;
    case 't':
        m->page = UI_PAGE_GRAPHS;
        break;
    case 'L': {
        autofree char *begun = str_format("update %s --", r->name);
        update_command_open(m, begun);
        break;
    }
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
    case 'c':
    case 'B':
        snapshot_use(m, newest_of(m, r->id), key);
        break;
    case 'y':
    case 'Y':
        copy(m, r, key == 'y');
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
    bool many = strchr("sKpxXSA", key < 0x80 ? (int)key : 0) && key && key < 0x80;
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
        many_key(m, key);
    else if (r)
        row_key(m, r, key);
    else if (s && strchr("cBxX\r", (int)(key < 0x80 ? key : 1)) && key)
        snapshot_use(m, s, key == UI_KEY_ENTER ? 'c' : key);
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
