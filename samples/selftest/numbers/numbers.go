// Package numbers is compiled anew in each selftest, which writes a number of its own into it.
package numbers

// OfThisBuild tells one build from the others.
const OfThisBuild = "0"
