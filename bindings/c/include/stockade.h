/* Stockade: run untrusted code under limits that are enforced, and say what happened.
 */

#ifndef STOCKADE_H
#define STOCKADE_H

#include <stddef.h>
#include <stdint.h>

/** The version that this header is of; `stockade_version` tells that of the library. */
#define STOCKADE_VERSION "0.1.0"
#define STOCKADE_VERSION_MAJOR 0
#define STOCKADE_VERSION_MINOR 1
#define STOCKADE_VERSION_PATCH 0

#ifdef __cplusplus
extern "C" {
#endif

/* Words ---------------------------------------------------------------------------------------- */

/**
 * The version of the library, such as "0.1.0".
 *
 * The string is static.
 */
const char *stockade_version(void);

#ifdef __cplusplus
}
#endif

#endif /* STOCKADE_H */
