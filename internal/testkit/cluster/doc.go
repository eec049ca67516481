// Package cluster tests the built program against databases that several servers share:
// how it takes the death of a primary, and of one of the servers. It has tests only, which
// run if variables name what they need; see internal/testkit/scripts/cluster.sh.
package cluster
