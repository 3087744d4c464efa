// Package nodes holds only tests, of the sending program in trouble: several
// `plenary serve` processes on one PostgreSQL, on separate loopback addresses,
// some of which are killed or cut off from the database; one whose disk is full
// or whose database is away; one that finds an old copy of its database.
//
// By default the tests are short; PLENARY_TEST_NODES=full has 100,000 people, a
// cut of 30 seconds and 2,000 posts.
package nodes
