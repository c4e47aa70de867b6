/* How much of an image skopeo has brought, read from its bars. */
#ifndef COFFERDAM_APP_CLI_PULL_SIZES_H
#define COFFERDAM_APP_CLI_PULL_SIZES_H

#include <stddef.h>
#include <stdint.h>

enum { PULL_SIZES_MOST = 128, PULL_SIZES_COLS = 200, PULL_SIZES_LINE = 401 };

/* Zeroed: nothing was read yet. The words are a registry's too: what does not fit is nothing. */
struct pull_sizes {
    struct {
        char name[16];
        uint64_t done, total;
    } list[PULL_SIZES_MOST];
    size_t count;
    char line[PULL_SIZES_LINE];
    size_t used;
    char why[PULL_SIZES_LINE]; /* it has failed, or "" */
};

/* What pull_filter_text() has let through: "Copying blob 1f2e… [==>--] 1.2MiB / 3.4MiB …". */
void pull_sizes_text(struct pull_sizes *s, const char *text, size_t size);
/* Of all layers whose size was told. */
void pull_sizes_sum(const struct pull_sizes *s, uint64_t *ret_done, uint64_t *ret_total);

#endif
