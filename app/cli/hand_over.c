#include "app/cli/hand_over.h"

#include "app/plan/handler.h"
#include "backends/containerd/ctr.h"
#include "base/fd.h"
#include "base/file.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { HAND_OVER_MS = 600000, HAND_OVER_ASK_MS = 10000 };

static int hand_over_has(const char *address, const struct image *i, bool *ret, struct error *e)
{
    char **argv = ctr_argv(address);
    autofree char *said = NULL, *digest = str_format("sha256:%s", i->hex);
    strv_add(&argv, "images");
    strv_add(&argv, "ls");
    strv_take(&argv, str_format("name==%s", i->name));
    int r = ctr_run(argv, HAND_OVER_ASK_MS, &said, e);
    if (r == 0)
        *ret = strstr(said, digest) != NULL;
    return r;
}

/* Through a file that has no name: ctr reads it by its number. */
static int hand_over_archive(const char *address, const struct images_launch *l, struct error *e)
{
    autoclose int fd = memfd_create("cofferdam-image", MFD_CLOEXEC);
    if (fd < 0)
        return error_errno(e, errno, "an archive for containerd");
    int r = image_export_tar(l->store, &l->image, fd, e);
    if (r < 0)
        return r;
    char **argv = ctr_argv(address);
    strv_add(&argv, "images");
    strv_add(&argv, "import");
    strv_take(&argv, str_format("/proc/%d/fd/%d", getpid(), fd));
    return ctr_run(argv, HAND_OVER_MS, NULL, e);
}

int hand_over_image(const struct plan *p, const struct images_launch *image, struct error *e)
{
    if (!plan_handler_is(p->runtime) || !image)
        return 0;
    struct plan_handler h = {0};
    bool there = false;
    int r = plan_handler_read(p->runtime, &h, e);
    if (r == 0)
        r = hand_over_has(h.address, &image->image, &there, e);
    if (r == 0 && !there) {
        fprintf(stderr, "handing %s to containerd\n", p->image);
        r = hand_over_archive(h.address, image, e);
    }
    plan_handler_done(&h);
    return r < 0 ? error_wrap(e, "containerd") : 0;
}
