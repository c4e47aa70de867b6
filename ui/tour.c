#include "ui/tour.h"

#include "ui/keys.h"
#include "ui/update_inner.h"

// clang-format off
const struct ui_tour_step ui_tour[UI_TOUR_STEPS] = {
    {"what is this", {
        {0, "Each line above is a workload: a program in a box of its own."},
        {0, "Its profile says how far it is kept away, from a container to a whole machine."},
        {0, "Nothing runs unless you start it."}}},
    {"start something", {
        {'o', "open a strange file, looked at first"},
        {'n', "start a command, or a shell"},
        {0, "The dial tells what each stop keeps away, leaves open and costs."}}},
    {"watch it", {
        {UI_KEY_ENTER, "its console, to type into"},
        {0, "ctrl-] Tab leads back here; it runs on"},
        {'i', "plan, report, log and changes"},
        {'t', "its last minutes as graphs"},
        {'H', "this machine"}}},
    {"keep, bring back, end", {
        {'S', "take a snapshot of it"},
        {'B', "bring it back as it was then"},
        {'R', "what it did"},
        {'s', "stop it"},
        {'X', "remove it: asked once, by name"}}},
    {"find your way", {
        {'?', "all keys"},
        {':', "any verb, Tab completes; :tour"},
        {'/', "only those with these words"},
        {0, "Esc leads one step out, always"},
        {'q', "leave; what runs goes on"}}},
};
// clang-format on

enum { TOUR_ROWS = 8, LIST_ROWS = 3 };

void ui_tour_place(const struct ui_model *m, struct ui_rect *ret)
{
    bool shown = m->tour && m->page == UI_PAGE_LIST && !m->panes_count && !ui_model_too_small(m);
    int rows = shown ? MIN((int)TOUR_ROWS, m->rows - 2 - LIST_ROWS) : 0;
    *ret = (struct ui_rect){m->rows - 1 - rows, 0, rows, m->cols};
}

static void turn(struct ui_model *m, int by)
{
    m->tour = MAX(m->tour + by, 1);
    if (m->tour <= UI_TOUR_STEPS)
        return;
    m->tour = 0;
    ui_model_message(m, false, "that was it; :tour shows it again");
}

bool update_tour_key(struct ui_model *m, uint32_t key)
{
    struct ui_rect at;
    ui_tour_place(m, &at);
    if (!at.rows || (key != UI_KEY_ESC && key != UI_KEY_LEFT && key != UI_KEY_RIGHT))
        return false;
    if (key == UI_KEY_ESC)
        m->tour = 0;
    else
        turn(m, key == UI_KEY_RIGHT ? 1 : -1);
    return true;
}

bool update_tour_mouse(struct ui_model *m, const struct ui_mouse *at)
{
    struct ui_rect r;
    ui_tour_place(m, &r);
    if (!r.rows || at->row < r.row || at->row >= r.row + r.rows)
        return false;
    turn(m, 1);
    return true;
}
