/* What is done to one workload, or to all that are marked. */
#include "ui/update_inner.h"

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

char **update_targets(const struct ui_model *m)
{
    return targets(m, false);
}

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

static void do_words(struct ui_model *m, const char *id, const char *const *words)
{
    autofree char *args = update_args(words);
    ui_intend(m, UI_INTENT_DO, id, args, strlen(args));
}

/* --- snapshots --- */

static void snapshot_all(struct ui_model *m, char *const *ids)
{
    for (; *ids; ids++)
        do_words(m, *ids, (const char *const[]){"snapshot", "create", *ids, NULL});
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

static char *restore_args(const struct ui_snapshot *s)
{
    return update_args((const char *const[]){"snapshot", "restore", "--force", s->id, NULL});
}

void update_snapshot_key(struct ui_model *m, const struct ui_snapshot *s, uint32_t key)
{
    if (key == 'c') {
        do_words(m, NULL, (const char *const[]){"clone", s->id, NULL});
        ui_model_message(m, false, "starting a clone…");
    } else if (key == 'B') {
        autofree char *question =
            str_format("Bring %s back as %s has it? What runs of it is ended, and what it did "
                       "since is lost.",
                       s->workload_name, s->name);
        update_ask_args(m, restore_args(s), false, question);
    } else {
        autofree char *question = str_format("Remove the snapshot %s?", s->name);
        char *args = update_args((const char *const[]){"snapshot", "rm", "--force", s->id, NULL});
        update_ask_args(m, args, false, question);
    }
}

/* Each from its newest snapshot, or as it is now where there is none. */
static void clone_all(struct ui_model *m, char *const *ids)
{
    for (; *ids; ids++) {
        const struct ui_snapshot *s = newest_of(m, *ids);
        do_words(m, *ids, (const char *const[]){"clone", s ? s->id : *ids, NULL});
    }
    ui_model_message(m, false, "starting a clone…");
}

/* Each as its newest snapshot has it; those without one are named, and stay as they are. */
static void restore_all(struct ui_model *m, char *const *ids)
{
    char **args = NULL;
    autostrv char **names = NULL;
    autostrv char **lacking = NULL;
    const struct ui_snapshot *last = NULL;
    for (; *ids; ids++) {
        const struct ui_snapshot *s = newest_of(m, *ids);
        strv_add(s ? &names : &lacking, ui_model_row(m, *ids)->name);
        if (s)
            strv_take(&args, restore_args(s));
        last = s ? s : last;
    }
    autofree char *without = lacking ? strv_join(lacking, ", ") : NULL;
    if (!args) {
        autofree char *text = str_format("there is no snapshot of %s; S takes one", without);
        ui_model_message(m, false, text);
        return;
    }
    autofree char *joined = strv_join(names, ", ");
    autofree char *stays =
        without ? str_format(" %s has none and stays as it is.", without) : str_dup("");
    autofree char *question =
        names[1] ? str_format("Bring %s back as their newest snapshots have them? What runs of "
                              "them is ended, and what they did since is lost.%s",
                              joined, stays)
                 : str_format("Bring %s back as %s has it? What runs of it is ended, and what it "
                              "did since is lost.%s",
                              joined, last->name, stays);
    update_ask_all(m, args, false, question);
}

/* --- what is finished behind ":" --- */

/* There {} stands for each of them. */
static void command_for(struct ui_model *m, char *const *ids, const char *one, const char *help)
{
    bool several = ids[1] != NULL;
    const char *name = several ? "{}" : ui_model_row(m, ids[0])->name;
    autobuf begun = {0};
    for (const char *at = one; *at; at++)
        if (str_starts(at, "{}")) {
            buf_puts(&begun, name);
            at++;
        } else {
            buf_putc(&begun, *at);
        }
    update_command_open(m, begun.data);
    autofree char *text =
        several ? str_format("%s; {} is each of the %zu marked", help, strv_length(ids)) : NULL;
    ui_model_message(m, false, text ? text : help);
}

static void restart_all(struct ui_model *m, char *const *ids)
{
    char **words = NULL;
    strv_add(&words, "restart");
    for (char *const *id = ids; *id; id++)
        strv_add(&words, *id);
    autofree char *names =
        ids[1] ? str_format("these %zu", strv_length(ids)) : str_dup(ui_model_row(m, ids[0])->name);
    autofree char *question = str_format(
        "Start %s again? What runs is ended; files stay, what is in memory is lost.", names);
    update_ask_args(m, update_args((const char *const *)words), false, question);
    strv_free(words);
}

static void end_all(struct ui_model *m, char **ids, uint32_t key)
{
    bool several = ids[1] != NULL;
    if (key == 's' || key == 'K')
        update_ask(m, key == 's' ? UI_INTENT_STOP : UI_INTENT_KILL, ids,
                   key == 's' ? "Stop" : "Kill", "");
    else
        update_ask(m, UI_INTENT_REMOVE, ids, "Remove",
                   !any_lives(m, ids) ? ""
                   : several          ? " Those that run will be killed."
                                      : " It is running: it will be killed.");
}

/* --- what shows them --- */

static void consoles_open(struct ui_model *m, char *const *ids)
{
    size_t count = strv_length(ids), open = 0;
    for (; *ids && open < UI_PANES && (!open || ui_model_has_room(m)); ids++, open++)
        update_console_open(m, ui_model_row(m, *ids), open > 0);
    if (open == count)
        return;
    autofree char *text =
        str_format("%zu of the %zu marked: there is room for no more", open, count);
    ui_model_message(m, false, text);
}

static void page_of_all(struct ui_model *m, char *const *ids, const char *verb, const char *title)
{
    autofree const char **words = mem_zero(strv_length(ids) + 2, sizeof(char *));
    autofree char *of = str_format("%s of %zu marked", title, strv_length(ids));
    words[0] = verb;
    for (size_t i = 0; ids[i]; i++)
        words[i + 1] = ids[i];
    update_page(m, of, words);
}

bool update_show_key(struct ui_model *m, uint32_t key)
{
    const struct ui_row *r = ui_model_selected(m);
    bool living = key == UI_KEY_ENTER || key == 'e';
    if (!r || !r->marked || !(living || key == 'l' || key == 'R' || key == 'd'))
        return false;
    autostrv char **ids = targets(m, living);
    if (strv_length(ids) < 2)
        return false;
    if (key == UI_KEY_ENTER)
        consoles_open(m, ids);
    else if (key == 'e')
        for (char **id = ids; *id; id++)
            ui_intend(m, UI_INTENT_SHELL, *id, NULL, 0);
    else if (key == 'l')
        page_of_all(m, ids, "logs", "logs");
    else if (key == 'R')
        page_of_all(m, ids, "report", "reports");
    else
        page_of_all(m, ids, "diff", "changes");
    return true;
}

void update_many_key(struct ui_model *m, uint32_t key)
{
    bool ended_too = !strchr("sKpSYL", key < 0x80 ? (int)key : 'x');
    if (key == 'x') {
        ui_model_message(m, false, "X, a capital, removes it");
        return;
    }
    char **ids = targets(m, !ended_too);
    if (!ids) {
        ui_model_message(m, false, "it is not running; X removes it");
        return;
    }
    switch (key) {
    case 'p':
        pause_all(m, ids);
        break;
    case 'S':
        snapshot_all(m, ids);
        break;
    case 'A':
        restart_all(m, ids);
        break;
    case 'B':
        restore_all(m, ids);
        break;
    case 'c':
        clone_all(m, ids);
        break;
    case 'y':
        command_for(m, ids, "cp {}:", "cp NAME:PATH WHERE");
        break;
    case 'Y':
        command_for(m, ids, "cp ./ {}:", "cp FILE NAME:PATH");
        break;
    case 'w':
        command_for(m, ids, "export {} ./{}.tar", "export NAME FILE: what it changed, as a tar");
        break;
    case 'L':
        command_for(m, ids, "update {} --", "update NAME --memory SIZE, --cpus NUMBER, --pids …");
        break;
    default:
        end_all(m, TAKE(ids), key);
        break;
    }
    strv_free(ids);
}
