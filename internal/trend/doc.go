// Package trend remembers the last hour in points of five seconds: how long changes
// took from their commit to GHL, how many calls succeeded and failed, how many events
// waited and how much WAL.
//
// [Recorder.Observe] is a hook of delivery and costs a lock and an addition.
// [Recorder.Start] closes a point every [Step] with what it samples; nothing is written
// anywhere, a restart begins anew. Memory is bounded: [Points] of them are kept, and
// latencies are counted in a histogram of fixed size, exact to a tenth, of the open
// point alone.
package trend
