/* Between module.c and module_place.c. */
#ifndef COFFERDAM_BASE_MODULE_PLACE_H
#define COFFERDAM_BASE_MODULE_PLACE_H

enum module_place { MODULE_IN_BUILD_TREE, MODULE_BESIDE_PROGRAM, MODULE_INSTALLED };

/* `*ret_folder` is owned by the caller. */
enum module_place module_find_place(char **ret_folder);

#endif
