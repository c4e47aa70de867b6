/* What `doctor` asks, side by side: none that is slow holds up another. */
#ifndef COFFERDAM_APP_CLI_DOCTOR_H
#define COFFERDAM_APP_CLI_DOCTOR_H

#include "backends/backend.h"
#include "base/str.h"

/* One of them: this host, or a runtime. */
struct doctor_part {
    const struct backend *backend; /* borrowed; NULL: this host */
    void (*ask)(const struct backend *b, const struct plan_host *host, struct backend_health *ret);
    bool answered;
    struct backend_health health; /* owned; as soon as it has answered */
    pid_t pid;
    int out;         /* owned; FD_NONE: nothing comes from it */
    struct buf said; /* so far */
};

/* Whenever more have answered; once before the first. */
typedef void (*doctor_news_fn)(void *data, const struct doctor_part *parts, size_t count);

/*
 * Asks each in a process of its own, which ends with us, until all have answered. One that fails
 * has answered that it did. KVM is tried before, by us: how fast it is cannot be measured beside
 * the others.
 */
void doctor_ask(struct doctor_part *parts, size_t count, const struct plan_host *host,
                doctor_news_fn news, void *data);

/* verb_doctor.c: all of them; 0, or -errno with text. `*ret_usable`: one runtime is. */
int doctor_run_all(doctor_news_fn news, void *data, bool *ret_usable, struct error *e);
/* As text; of one that has not answered that it is looked for. */
void doctor_print(const struct doctor_part *p);

#endif
