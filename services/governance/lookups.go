package governance

import (
	"sync"
	"time"

	"google.golang.org/grpc/resolver/dns"
)

// lookupsApart is how soon a name may be looked up again after a connection failed. By grpc-go's own 30 s, a rolling restart that takes
// less leaves a caller with addresses of dead pods only. Each look-up fills the retry budget, so in an outage it also is how often that refills.
const lookupsApart = time.Second

// lookUpSoon is for the whole process, as grpc-go has it.
var lookUpSoon = sync.OnceFunc(func() { dns.SetMinResolutionInterval(lookupsApart) })
