/* Graphs of what a workload used lately, as text. */
#ifndef COFFERDAM_UI_GRAPHS_H
#define COFFERDAM_UI_GRAPHS_H

#include "ui/model.h"

enum ui_graph { UI_GRAPH_BRAILLE, UI_GRAPH_BLOCK, UI_GRAPH_ASCII };
enum ui_graph ui_graph_kind(const struct ui_model *m);

/*
 * The last samples, the newest at the right: two in a column of braille, else one. `row` 0 is the
 * top one of so many. What fills them is `ui_graph_top()`. Owned by the caller.
 */
char *ui_graph_text(const struct ui_history *h, enum ui_history_of of, int width, int row, int rows,
                    enum ui_graph kind);
uint64_t ui_graph_top(const struct ui_history *h, enum ui_history_of of, int width,
                      enum ui_graph kind);
uint64_t ui_history_at(const struct ui_history *h, enum ui_history_of of, unsigned back);

#endif
