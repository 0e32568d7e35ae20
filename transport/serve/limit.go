package serve

// Limits of a Guard. A negative number is no limit, 0 the default.
type Limits struct {
	UserRate     float64 // requests a second and user; default 100
	UserBurst    int     // default 200
	UserCalls    int     // of a user at once; default 64
	UserStreams  int     // likewise, of streams that stay open; default 1,024
	Calls        int     // of all at once; default 1,000
	FailureRate  float64 // failed requests a second and address; default 10
	FailureBurst int     // default 100
}
