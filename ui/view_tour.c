/* One step of the tour. */
#include "ui/bindings.h"
#include "ui/tour.h"
#include "ui/views.h"

void view_tour(const struct ui_model *m)
{
    struct ui_rect r;
    ui_tour_place(m, &r);
    if (!r.rows)
        return;
    const struct ui_tour_step *step = &ui_tour[m->tour - 1];
    autofree char *title =
        str_format("tour, %d of %d: %s", m->tour, (int)UI_TOUR_STEPS, step->title);
    autostrv char **lines = NULL;
    for (const struct ui_tour_line *l = step->lines;
         l < step->lines + ARRAY_SIZE(step->lines) && l->text; l++) {
        char name[16];
        strv_take(&lines, l->key
                              ? str_format("%-5s %s",
                                           ui_bindings_name(&m->bindings, UI_IN_LIST, l->key, name),
                                           l->text)
                              : str_dup(l->text));
    }
    paint_line(r.row, 0, r.cols, title);
    struct ui_rect below = {r.row + 1, 1, r.rows - 1, r.cols - 2};
    for (int i = 0; i < below.rows; i++)
        paint_text(below.row + i, 0, r.cols, UI_PLAIN, "");
    view_lines(&below, lines, 0);
}
