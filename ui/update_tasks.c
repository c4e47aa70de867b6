/* Giving up what is being done: named, and asked for once. */
#include "ui/update_inner.h"

#include <stdlib.h>

static const char *what_is_left(const struct ui_task *t)
{
    return t->waits                      ? "It has not begun."
           : ui_task_clears_up(t->title) ? "What it has made so far is removed."
                                         : "It is ended in the midst of it; what it has done "
                                           "so far stays.";
}

static void ask_one(struct ui_model *m, const struct ui_task *t)
{
    if (!ui_task_may_end(t)) {
        autofree char *text =
            str_format("\"%s\" is not given up half-way: what ran may have ended by now", t->title);
        ui_model_message(m, false, text);
        return;
    }
    char **numbers = NULL;
    strv_take(&numbers, str_format("%u", t->number));
    autofree char *question = str_format("Give up \"%s\"? %s", t->title, what_is_left(t));
    update_ask_about(m, UI_INTENT_GIVE_UP, numbers, question);
}

static void ask_all(struct ui_model *m, const struct ui_task *first, size_t count)
{
    char **numbers = NULL;
    bool all_clear = true;
    for (size_t i = 0; i < m->tasks_count; i++)
        if (ui_task_may_end(&m->tasks[i])) {
            strv_take(&numbers, str_format("%u", m->tasks[i].number));
            all_clear &= m->tasks[i].waits || ui_task_clears_up(m->tasks[i].title);
        }
    autofree char *question = str_format(
        "Give up all %zu, \"%s\" and the others? %s; a click on one gives up that alone.", count,
        first->title,
        all_clear ? "What they have made so far is removed"
                  : "They are ended in the midst of it: not all clear up");
    update_ask_about(m, UI_INTENT_GIVE_UP, numbers, question);
}

void update_tasks_ask(struct ui_model *m)
{
    const struct ui_task *first = NULL, *never = NULL;
    size_t count = 0;
    for (size_t i = 0; i < m->tasks_count; i++) {
        const struct ui_task *t = &m->tasks[i];
        if (ui_task_may_end(t)) {
            first = first ? first : t;
            count++;
        } else if (!t->ending) {
            never = t;
        }
    }
    if (count > 1)
        ask_all(m, first, count);
    else if (count || never)
        ask_one(m, count ? first : never);
    else
        ui_model_message(m, false, "nothing is being done that could be given up");
}

bool update_tasks_mouse(struct ui_model *m, const struct ui_mouse *at)
{
    int rows = ui_tasks_rows(m), first = m->rows - 1 - rows;
    if (m->dialog != UI_DIALOG_NONE || at->row < first || at->row >= first + rows)
        return false;
    const struct ui_task *t = ui_task_seen(m, (size_t)(at->row - first));
    if (t && !t->ending)
        ask_one(m, t);
    return true;
}

bool update_task_given_up(struct ui_model *m, const char *number)
{
    for (size_t i = 0; i < m->tasks_count; i++)
        if (m->tasks[i].number == strtoul(number, NULL, 10) && ui_task_may_end(&m->tasks[i])) {
            m->tasks[i].ending = true;
            return true;
        }
    return false;
}

void update_quit(struct ui_model *m)
{
    const struct ui_task *first = NULL;
    size_t waiting = 0, going = 0;
    for (size_t i = 0; i < m->tasks_count; i++) {
        first = !first && m->tasks[i].waits ? &m->tasks[i] : first;
        waiting += m->tasks[i].waits;
        going += !m->tasks[i].waits;
    }
    if (!waiting) { /* what has begun goes on to its end without us */
        ui_intend(m, UI_INTENT_QUIT, NULL, NULL, 0);
        return;
    }
    autofree char *more =
        waiting > 1 ? str_format(" and %zu more have", waiting - 1) : str_dup(" has");
    autofree char *rest =
        going ? str_format(" What has begun (%zu) goes on to its end.", going) : str_dup("");
    autofree char *question =
        str_format("Leave? \"%s\"%s not begun and will not be done.%s", first->title, more, rest);
    char **none = NULL;
    strv_add(&none, "");
    update_ask_about(m, UI_INTENT_QUIT, none, question);
}
