/* An image of the store into containerd, for the runtimes behind it. */
#ifndef COFFERDAM_APP_CLI_HAND_OVER_H
#define COFFERDAM_APP_CLI_HAND_OVER_H

#include "app/cli/images.h"

/*
 * Sees that containerd's namespace has the plan's image under its name with this very content;
 * exports it into it otherwise. Nothing to do for other runtimes. `image` NULL: a restart, whose
 * image is there.
 */
int hand_over_image(const struct plan *p, const struct images_launch *image, struct error *e);

#endif
