/* The short tour of the first start: a few steps below the list, which goes on working. */
#ifndef COFFERDAM_UI_TOUR_H
#define COFFERDAM_UI_TOUR_H

#include "ui/model.h"

struct ui_tour_line {
    uint32_t key;     /* as the actions have it, shown as the person has bound it; 0: prose */
    const char *text; /* NULL: the last */
};
struct ui_tour_step {
    const char *title;
    struct ui_tour_line lines[6];
};
enum { UI_TOUR_STEPS = 5 };
extern const struct ui_tour_step ui_tour[UI_TOUR_STEPS];

/* Its place, with the row of its title; no rows: it is not shown now. */
void ui_tour_place(const struct ui_model *m, struct ui_rect *ret);

#endif
