/* A layer from a stranger: whatever its tar stream says, nothing outside its folder changes. */
#include "images/layer.h"

#include "base/fd.h"
#include "base/file.h"
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static char place[] = "/tmp/cofferdam-fuzz-XXXXXX";
static int dir = FD_NONE;

static void leave(void)
{
    file_remove_tree(AT_FDCWD, place);
}

static void enter(void)
{
    if (!mkdtemp(place))
        abort();
    atexit(leave);
    dir = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (mkdirat(dir, "outside", 0700) < 0)
        abort();
}

struct source {
    const uint8_t *data;
    size_t size, at, step;
};

/* Pieces of an odd size: no reader may lean on where they end. */
static ssize_t source_read(void *data, void *to, size_t room)
{
    struct source *s = data;
    size_t n = MIN(MIN(room, s->step), s->size - s->at);
    memcpy(to, s->data + s->at, n);
    s->at += n;
    return (ssize_t)n;
}

/* What was changed at random would nearly always be thrown out for its checksum. */
static void mend_checksums(uint8_t *data, size_t size)
{
    for (size_t at = 0; at + TAR_BLOCK <= size; at += TAR_BLOCK) {
        uint8_t *h = data + at;
        unsigned sum = 0;
        char text[8];
        if (memcmp(h + 257, "ustar", 5) != 0)
            continue;
        memset(h + 148, ' ', 8);
        for (size_t i = 0; i < TAR_BLOCK; i++)
            sum += h[i];
        snprintf(text, sizeof(text), "%06o", sum);
        memcpy(h + 148, text, 7);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (dir < 0)
        enter();
    if (mkdirat(dir, "in", 0700) < 0)
        abort();
    autofree uint8_t *copy = mem_copy(data, size + !size);
    mend_checksums(copy, size);
    struct source s = {copy, size, 0, size % 3 ? 512 : 77};
    autoclose int root = openat(dir, "in", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    autoclose int spill = memfd_create("fuzz", MFD_CLOEXEC);
    struct layer_job job = {
        .root = root,
        .spill = spill,
        .whiteouts = true,
        .limits = {.bytes = 1 << 20, .entries = 200, .depth = 20, .ratio = 100},
    };
    struct layer_counts counts;
    struct error e = {0};
    struct tar *t = tar_new(source_read, &s);
    int r = layer_write(t, &job, &counts, &e);
    tar_free(t);
    if ((r < 0) != (e.code != 0) || (r == 0 && counts.entries > job.limits.entries))
        abort();
    struct stat st;
    /* an empty folder can be removed, and there are only these two */
    if (unlinkat(dir, "outside", AT_REMOVEDIR) < 0 || mkdirat(dir, "outside", 0700) < 0 ||
        file_remove_tree(dir, "in") < 0 || fstat(dir, &st) < 0 ||
        (st.st_nlink != 3 && st.st_nlink != 1))
        abort();
    return 0;
}
