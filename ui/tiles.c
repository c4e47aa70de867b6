/* Consoles in panes, and what stands where in the window. */
#include "ui/model.h"
#include "ui/tour.h"

enum { PANE_ROWS_LEAST = 3, PANE_COLS_LEAST = 20, BESIDE_COLS = 60 };

/* --- panes --- */

struct ui_console *ui_pane(const struct ui_model *m)
{
    return (struct ui_console *)&m->panes[m->pane];
}

struct ui_console *ui_pane_of(const struct ui_model *m, const char *id, uint32_t number)
{
    for (size_t i = 0; id && i < m->panes_count; i++)
        if (str_equal(m->panes[i].id, id) && m->panes[i].number == number)
            return (struct ui_console *)&m->panes[i];
    return NULL;
}

void ui_pane_done(struct ui_console *c)
{
    free(c->id);
    free(c->name);
    free(c->how);
    cells_done(&c->cells);
    ui_copy_free(c->copy);
    ui_output_free(c->output);
    *c = (struct ui_console){0};
}

void ui_model_keys(struct ui_model *m, const char *id, const char *detach_keys)
{
    struct attach_chord chord;
    struct error e;
    if (attach_chord_parse(detach_keys, &chord, &e) < 0)
        attach_chord_parse(NULL, &chord, &e);
    for (size_t i = 0; i < m->panes_count; i++)
        if (str_equal(m->panes[i].id, id))
            m->panes[i].keys = chord;
    m->dirty = true;
}

void ui_model_cells(struct ui_model *m, struct ui_console *c, const struct cells *cells)
{
    struct cells *to = &c->cells;
    if (to->rows != cells->rows || to->cols != cells->cols) {
        cells_done(to);
        cells_init(to, cells->rows, cells->cols);
    }
    struct cell *cell = to->cell;
    bool *dirty = to->dirty;
    memcpy(cell, cells->cell, (size_t)cells->rows * cells->cols * sizeof(*cell));
    *to = *cells;
    to->cell = cell;
    to->dirty = dirty;
    m->dirty |= !c->copy;
}

void ui_copy_keep(struct ui_model *m, struct ui_copy *k)
{
    if (!k->keep || ui_copy_lacks(k))
        return;
    autofree char *text = ui_copy_all(k);
    ui_intend(m, UI_INTENT_KEEP, k->keep, text, strlen(text));
    free(TAKE(k->keep));
}

void ui_model_history(struct ui_model *m, struct ui_console *c, uint64_t first,
                      const struct cell *const *lines, const uint16_t *cols, size_t count)
{
    if (!c->copy)
        return;
    ui_copy_take(c->copy, first, lines, cols, count);
    ui_copy_keep(m, c->copy);
    if (ui_copy_lacks(c->copy))
        ui_intend_console(m, UI_INTENT_HISTORY, c, NULL, UI_COPY_CHUNK);
    m->dirty = true;
}

char *ui_console_prefix(const struct ui_console *c)
{
    struct attach_chord first = {.first = c->keys.first};
    return attach_chord_name(&first);
}

/* --- what stands where --- */

bool ui_model_too_small(const struct ui_model *m)
{
    return m->rows < UI_ROWS_LEAST || m->cols < UI_COLS_LEAST;
}

/* With panes beside a list of so many. */
static void layout(const struct ui_model *m, size_t listed, struct ui_rect *ret_list,
                   struct ui_rect *ret_pane)
{
    /* a title above, a line of keys below */
    int body = MAX(m->rows - 2 - ui_tasks_rows(m), 1);
    int wanted = (int)MIN(listed + 1, (size_t)m->rows);
    int list = m->zoomed ? 0 : MIN(MAX(wanted, 3), MAX(body / 3, 3));
    *ret_list = (struct ui_rect){1, 0, list, m->cols};
    /* a line with its name between them */
    *ret_pane = (struct ui_rect){1 + list + 1, 0, body - list - 1, m->cols};
}

/* The sheet's lines get what the stop of the dial leaves, and those beyond the usual ones what is
 * left when the worst of what can be reached is seen as well. */
int ui_sheet_rows(const struct ui_model *m)
{
    enum { USUAL = 11, STOP = 9, REACH = 4 };
    int room = MAX(MIN((int)USUAL, m->rows - STOP), m->rows - STOP - REACH);
    return MAX(2, MIN((int)UI_FIELD_COUNT, room));
}

bool ui_profiles_beside(const struct ui_rect *list)
{
    enum { BOTH_COLS = 170 };
    return list->cols >= BOTH_COLS;
}

int ui_explained_width(const struct ui_rect *list)
{
    return list->cols - (ui_profiles_beside(list) ? UI_PROFILES_COLS + 4 : 2);
}

size_t ui_profiles_rows(const struct ui_model *m, const struct ui_rect *list)
{
    return ui_profiles_beside(list) ? (size_t)MAX(list->rows, 1)
                                    : MIN(m->profiles_count, (size_t)MAX(list->rows / 2, 3));
}

int ui_text_columns(const struct ui_model *m)
{
    enum { COLUMN = 130 };
    return MAX(m->cols / COLUMN, 1);
}

int ui_text_width(const struct ui_model *m)
{
    return m->cols / ui_text_columns(m) - 2;
}

int ui_sheet_paths(const struct ui_model *m)
{
    enum { MOST = 6 };
    int count = (int)ui_sheet_completions(&m->sheet), seen = MIN(count, (int)MOST);
    int room = MAX(m->rows - 3 - ui_tasks_rows(m) - ui_sheet_rows(m), 0);
    return seen + (seen < count) <= room ? seen
                                         : MAX(room - 1, 0); /* how many more is said below */
}

int ui_sheet_scroll(const struct ui_model *m)
{
    return MAX(0, (int)m->sheet.field - ui_sheet_rows(m) + 1);
}

void ui_model_layout(const struct ui_model *m, struct ui_rect *ret_list, struct ui_rect *ret_pane)
{
    if (m->panes_count && m->page == UI_PAGE_LIST) {
        layout(m, ui_model_visible_count(m), ret_list, ret_pane);
    } else {
        struct ui_rect tour;
        ui_tour_place(m, &tour);
        *ret_list =
            (struct ui_rect){1, 0, MAX(m->rows - 2 - tour.rows - ui_tasks_rows(m), 1), m->cols};
        *ret_pane = (struct ui_rect){1, 0, 0, m->cols};
    }
}

/* The nth of so many in `all`: beside one another, or one below the other. */
static struct ui_rect tile(const struct ui_rect *all, int nth, int count, bool beside)
{
    struct ui_rect r = *all;
    if (beside) {
        int width = (all->cols + 1) / count; /* a column between them */
        r.col += nth * width;
        r.cols = nth == count - 1 ? all->cols - nth * width : width - 1;
    } else {
        int height = (all->rows + 1) / count; /* a line with its name */
        r.row += nth * height;
        r.rows = nth == count - 1 ? all->rows - nth * height : height - 1;
    }
    return r;
}

static void tiles(const struct ui_model *m, const struct ui_rect *all, size_t count,
                  struct ui_rect ret[UI_PANES])
{
    bool beside = m->tiling == UI_TILING_BESIDE ||
                  (m->tiling == UI_TILING_FITS && all->cols / (int)MAX(count, 1u) >= BESIDE_COLS);
    for (size_t i = 0; i < UI_PANES; i++)
        ret[i] =
            i < count && !m->zoomed ? tile(all, (int)i, (int)count, beside) : (struct ui_rect){0};
    if (m->zoomed && count)
        ret[m->pane] = *all;
}

void ui_model_tiles(const struct ui_model *m, struct ui_rect ret[UI_PANES])
{
    struct ui_rect list, all;
    ui_model_layout(m, &list, &all);
    tiles(m, &all, all.rows > 0 ? m->panes_count : 0, ret);
}

static void one_more(const struct ui_model *m, size_t count, struct ui_rect ret[UI_PANES])
{
    struct ui_rect list, all;
    layout(m, ui_model_visible_count(m), &list, &all);
    tiles(m, &all, count, ret);
}

bool ui_model_has_room(const struct ui_model *m)
{
    struct ui_rect r[UI_PANES];
    if (m->panes_count == UI_PANES)
        return false;
    one_more(m, m->panes_count + 1, r);
    return m->zoomed || (r[0].rows >= PANE_ROWS_LEAST && r[0].cols >= PANE_COLS_LEAST);
}

void ui_model_pane(const struct ui_model *m, bool beside, struct ui_rect *ret)
{
    struct ui_rect list, all, r[UI_PANES];
    size_t count = beside && ui_model_has_room(m) ? m->panes_count + 1 : MAX(m->panes_count, 1u);
    layout(m, m->count + 1, &list, &all);
    tiles(m, &all, count, r);
    *ret = m->zoomed ? all : r[beside ? count - 1 : MIN(m->pane, count - 1)];
    ret->rows = MAX(ret->rows, 1);
}
