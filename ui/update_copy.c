/* Looking back in a console: moved, searched, selected, copied, saved. */
#include "ui/update_inner.h"

#define UI_NOT_HERE_YET "not all of that is here yet: a moment"

static int copy_height(const struct ui_model *m)
{
    struct ui_rect r[UI_PANES];
    ui_model_tiles(m, r);
    return MAX(r[m->pane].rows, 1);
}

void update_copy_begin(struct ui_model *m)
{
    struct ui_console *c = ui_pane(m);
    if (c->copy || !c->cells.rows) {
        if (!c->cells.rows)
            ui_model_message(m, false, "it has shown nothing yet");
        return;
    }
    c->copy = c->streams ? ui_output_copy(c) : ui_copy_new(&c->cells);
    c->chord = false;
    m->focus = UI_FOCUS_CONSOLE;
    ui_copy_move(c->copy, 0, 0, copy_height(m));
    if (ui_copy_lacks(c->copy))
        ui_intend_console(m, UI_INTENT_HISTORY, c, NULL, UI_COPY_CHUNK);
}

void update_copy_end(struct ui_model *m)
{
    struct ui_console *c = ui_pane(m);
    ui_copy_free(TAKE(c->copy));
    if (c->ended || c->streams)
        m->focus = UI_FOCUS_LIST;
    m->dirty = true;
}

void update_copy_take(struct ui_model *m)
{
    struct ui_copy *k = ui_pane(m)->copy;
    if (ui_copy_selection_lacks(k)) {
        ui_model_message(m, false, UI_NOT_HERE_YET);
        return;
    }
    free(m->copied);
    m->copied = ui_copy_selected(k);
    ui_intend(m, UI_INTENT_COPIED, NULL, m->copied, strlen(m->copied));
    autofree char *prefix = ui_console_prefix(ui_pane(m));
    autofree char *text = str_format("copied; %s p types it where the keys go", prefix);
    update_copy_end(m);
    ui_model_message(m, false, text);
}

void update_copy_search(struct ui_model *m)
{
    struct ui_copy *k = ui_pane(m)->copy;
    if (k && !ui_copy_search(k, m->search.text, true, copy_height(m)))
        ui_model_message(m, false, UI_NOT_IN_IT);
}

static void copy_select(struct ui_copy *k, bool whole)
{
    k->selecting = !k->selecting || k->whole != whole;
    k->whole = whole;
    k->anchor_row = k->row;
    k->anchor_col = k->col;
}

/* To the beginning of the next word of this line, or of the one before. */
static int copy_word(const struct ui_copy *k, int by)
{
    uint16_t cols = 0;
    autofree struct cell *cells = ui_copy_cells(k, k->row, &cols);
    int col = k->col + by;
    for (; cells && col > 0 && col < cols; col += by) {
        uint32_t before = cells[col - 1].chars[0], here = cells[col].chars[0];
        if ((!before || before == ' ') && here && here != ' ')
            return col;
    }
    return by < 0 ? 0 : ui_copy_end(k, k->row);
}

static bool copy_moves(struct ui_model *m, uint32_t key)
{
    struct ui_copy *k = ui_pane(m)->copy;
    int height = copy_height(m);
    long by = update_movement(m, key);
    if (key == UI_KEY_PAGE_UP || key == UI_KEY_PAGE_DOWN || key == 0x02 || key == 0x06)
        by = by < 0 ? -height : height;
    if (key == 0x15 || key == 0x04) /* ctrl-u, ctrl-d */
        by = key == 0x15 ? -height / 2 : height / 2;
    if (by && key != ' ')
        ui_copy_move(k, by, 0, height);
    else if (key == 'h' || key == UI_KEY_LEFT)
        ui_copy_move(k, 0, -1, height);
    else if (key == 'l' || key == UI_KEY_RIGHT)
        ui_copy_move(k, 0, 1, height);
    else if (key == '0')
        ui_copy_to(k, k->row, 0, height);
    else if (key == '$')
        ui_copy_to(k, k->row, MAX(ui_copy_end(k, k->row) - 1, 0), height);
    else if (key == 'w' || key == 'b')
        ui_copy_to(k, k->row, copy_word(k, key == 'w' ? 1 : -1), height);
    else
        return false;
    return true;
}

static void copy_does(struct ui_model *m, uint32_t key)
{
    struct ui_copy *k = ui_pane(m)->copy;
    if (copy_moves(m, key))
        return;
    if (key == ' ' || key == 'v' || key == 'V')
        copy_select(k, key == 'V');
    else if (key == 'y' || key == UI_KEY_ENTER)
        update_copy_take(m);
    else if (key == '/')
        update_search_open(m);
    else if (key == 'n' || key == 'N') {
        if (!ui_copy_search(k, m->search.text, key == 'n', copy_height(m)))
            ui_model_message(m, false, UI_NOT_IN_IT);
    } else if (key == 's') {
        autofree char *path = str_format("%s.txt", ui_pane(m)->name);
        for (char *c = path; *c; c++)
            *c = strchr("/: ", *c) ? '-' : *c;
        update_line_set(&m->typed, path);
        m->dialog = UI_DIALOG_KEEP;
    } else if (key == UI_KEY_ESC || key == 'q' || key == 0x03)
        update_copy_end(m);
}

void update_copy_key(struct ui_model *m, uint32_t key)
{
    ui_model_no_message(m);
    copy_does(m, ui_bindings_meant(&m->bindings, UI_IN_COPY, key));
    m->dirty = true;
}

size_t update_copy_input(struct ui_model *m, const char *data, size_t size, bool last)
{
    uint32_t key;
    size_t used = ui_key_decode(data, size, last, &key);
    if (used)
        update_copy_key(m, key);
    return used;
}

static void copy_keep(struct ui_model *m, struct ui_copy *k)
{
    if (k->selecting && ui_copy_selection_lacks(k)) {
        ui_model_message(m, false, UI_NOT_HERE_YET);
        return;
    }
    ui_model_message(m, false, "writing…");
    if (k->selecting) {
        autofree char *text = ui_copy_selected(k);
        ui_intend(m, UI_INTENT_KEEP, m->typed.text, text, strlen(text));
        return;
    }
    free(k->keep);
    k->keep = str_dup(m->typed.text);
    ui_copy_keep(m, k);
}

/* What is selected, or all of it, into a file that is not there yet. */
void update_keep_key(struct ui_model *m, uint32_t key)
{
    if (key == UI_KEY_ENTER && ui_pane(m)->copy && m->typed.used)
        copy_keep(m, ui_pane(m)->copy);
    if (key == UI_KEY_ENTER || key == UI_KEY_ESC)
        m->dialog = UI_DIALOG_NONE;
    else
        update_line_key(&m->typed, key);
}
