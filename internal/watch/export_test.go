package watch

// NewOTLP is newOTLP, for tests.
var NewOTLP = newOTLP
