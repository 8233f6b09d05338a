// Package examples has chains of middlewares with routers of other modules. It is a module of its
// own, so that nobody needs these to use httplimit.
package examples
