using Dapper;
using Microsoft.Data.Sqlite;
using WebhookService.Infrastructure.Persistence.Runs;

namespace WebhookService.Infrastructure.Messages;

/// <summary>
/// Merges the messages of some streams. What is in memory and what streams know of themselves costs nothing; a run is looked into only when
/// what it may hold of a stream is next.
/// </summary>
/// <param name="index">Taken before the snapshot was opened.</param>
/// <param name="judged">Messages up to this number are gone but for those that their streams keep: entries that speak of them are passed over. By default as retention says.</param>
internal sealed class StreamMerge(SqliteConnection connection, RunReader index, long? judged = null)
{
    private long? edge = judged;

    private long Edge => edge ??= connection.ExecuteScalar<long>($"SELECT {MessageRetention.Edge}");

    /// <summary>
    /// Where their messages before a place stand, newest first. Some may be gone: whoever reads looks them up. The streams must come from the
    /// same snapshot.
    /// </summary>
    public IEnumerable<Place> NewestFirst(IReadOnlyCollection<StreamRow> streams, Place before, long from)
    {
        var queue = new PriorityQueue<IEnumerator<Step>, Place>(Place.NewestFirst);
        var chunk = streams.Count == 1 ? 64 : 8;
        foreach (var stream in streams)
        {
            foreach (var recent in index.InNoRun(connection, stream.StreamNo, before.At, before.No)) Next(Recent(recent, stream));
            if (stream.Kept is { } kept && kept.IsBefore(before)) Next(Once(kept));
            if (stream.NewestNo > 0) Next(Stored(stream, before, chunk));
        }

        Place? last = null;
        while (queue.TryDequeue(out var source, out var place))
        {
            if (place.At < from) yield break;
            if (source.Current.IsMessage && place != last) yield return last = place;
            Next(source);
        }

        void Next(IEnumerator<Step> source)
        {
            if (source.MoveNext()) queue.Enqueue(source, source.Current.Place);
        }
    }

    private static IEnumerator<Step> Once(Place place)
    {
        yield return new(place, IsMessage: true);
    }

    private IEnumerator<Step> Recent(IEnumerable<IndexEntry> entries, StreamRow stream)
    {
        foreach (var entry in entries)
            if (MayBeHere(entry, stream)) yield return new(new(entry.At, entry.No), IsMessage: true);
    }

    /// <summary>What runs hold of a stream. Each run that may hold something is a step first: it is opened when the merge comes there.</summary>
    private IEnumerator<Step> Stored(StreamRow stream, Place before, int chunk)
    {
        if (stream.Newest is { } newest && newest.IsBefore(before))
        {
            yield return new(newest, IsMessage: true);
            before = newest;
        }

        var open = new PriorityQueue<IEnumerator<IndexEntry>, Place>(Place.NewestFirst);
        void Next(IEnumerator<IndexEntry> run)
        {
            while (run.MoveNext())
                if (MayBeHere(run.Current, stream))
                {
                    open.Enqueue(run, new(run.Current.At, run.Current.No));
                    break;
                }
        }

        foreach (var run in index.RunsByTime(connection))
        {
            if (run.LastNo < stream.FirstNo || run.LastNo <= Edge || run.No > stream.LastNo || run.OldestAt > before.At) continue;
            var bound = run.NewestAt >= before.At ? new(before.At, before.No - 1) : new Place(run.NewestAt, long.MaxValue);
            while (open.TryPeek(out var newer, out var place) && !place.IsBefore(bound))
            {
                open.Dequeue();
                yield return new(place, IsMessage: true);
                Next(newer);
            }
            yield return new(bound, IsMessage: false);
            Next(index.NewestFirst(connection, run.No, stream.StreamNo, before.At, before.No, chunk).GetEnumerator());
        }
        while (open.TryDequeue(out var run, out var place))
        {
            yield return new(place, IsMessage: true);
            Next(run);
        }
    }

    private bool MayBeHere(IndexEntry entry, StreamRow stream) => entry.No > Edge || entry.No == stream.KeptNo;

    /// <summary>A message, or a place before which there is none in that source.</summary>
    private readonly record struct Step(Place Place, bool IsMessage);
}
