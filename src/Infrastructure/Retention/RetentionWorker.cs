using Dapper;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using WebhookService.Application.Common;
using WebhookService.Application.Consumers;
using WebhookService.Infrastructure.Journal;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Retention;

/// <summary>
/// Removes what is too old or too much: in steps of some milliseconds, each a command of the writer among the others. While others write it
/// rests between two steps, so that it takes a small part of the writer; alone it does not.
/// </summary>
internal sealed partial class RetentionWorker(
    IEnumerable<IRetained> kinds, Database database, UnitOfWork work, Writer writer, RetentionReport report, ConsumerDesk desk, IOptions<RetentionOptions> configured,
    TimeProvider time, ILogger<RetentionWorker> logger) : BackgroundService
{
    /// <summary>How long a step may hold the writer, but for the row at which the time is over.</summary>
    private static readonly TimeSpan StepLength = TimeSpan.FromMilliseconds(4);

    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan TellEvery = TimeSpan.FromHours(1);

    /// <summary>A consumer is warned when what it has not read goes within so much of the journal's age or size.</summary>
    private const double Near = 0.1;

    /// <summary>Free pages that stay in the file, for what comes next: a tenth of it, and 16 MiB.</summary>
    private const int SparePages = 4_096;

    /// <summary>Pages given back in a step; each may have to be moved first, some 30 µs.</summary>
    private const int PagesAtOnce = 64;

    /// <summary>Work takes real time, whatever clock tells the ages.</summary>
    private static readonly TimeProvider Rhythm = TimeProvider.System;

    private readonly RetentionOptions options = configured.Value;
    private readonly List<IRetained> kinds = [.. kinds];
    private readonly Lazy<Statement> giveBack = work.Prepare($"PRAGMA incremental_vacuum({PagesAtOnce})");
    private readonly SemaphoreSlim oneRound = new(1);
    private readonly HashSet<string> warned = [];
    private DateTimeOffset tellNext;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            var rest = options.Interval;
            try
            {
                await RoundAsync(stoppingToken);
            }
            catch (OverloadedException overloaded)
            {
                rest = overloaded.RetryAfter;
            }
            catch (Exception fault) when (!stoppingToken.IsCancellationRequested)
            {
                Failed(fault, Pause);
                rest = Pause;
            }
            await Task.Delay(rest, Rhythm, stoppingToken);
        }
    }

    /// <summary>Removes until nothing is left that has to go.</summary>
    internal async Task RoundAsync(CancellationToken cancellation)
    {
        await oneRound.WaitAsync(cancellation);
        try
        {
            await MarkAsync(cancellation);
            WarnWhoLags();
            while (await RemoveAsync(cancellation) || await MakeRoomAsync(cancellation) || await GiveBackAsync(cancellation)) cancellation.ThrowIfCancellationRequested();
            using var reader = database.OpenForReading();
            foreach (var kind in kinds) report.ReachesBack(kind.Kind, kind.OldestAt(reader));
        }
        finally
        {
            oneRound.Release();
        }
    }

    private async Task MarkAsync(CancellationToken cancellation)
    {
        List<Action<UnitOfWork>> marks;
        using (var reader = database.OpenForReading())
            marks = [.. kinds.OfType<IMarked>().Select(kind => RetentionMarks.Due(reader, kind, options.Interval, time)).OfType<Action<UnitOfWork>>()];
        if (marks.Count > 0)
            await writer.RunAsync(() =>
            {
                foreach (var mark in marks) mark(work);
                return Task.FromResult(marks.Count);
            }, cancellation);
    }

    /// <summary>One step of each kind that is beyond its own bounds.</summary>
    /// <returns>Whether there was any.</returns>
    private async Task<bool> RemoveAsync(CancellationToken cancellation)
    {
        var any = false;
        foreach (var kind in kinds)
        {
            if (Look(reader => kind.Next(reader, time.GetUtcNow(), pressure: null)) is not { } step) continue;
            await RunAsync(kind, step, cancellation);
            any = true;
        }
        return any;
    }

    /// <summary>While the database is too large: a step of the kind that reaches back farthest, measured by what it may.</summary>
    private async Task<bool> MakeRoomAsync(CancellationToken cancellation)
    {
        if (options.MaxDatabaseBytes == 0) return false;
        var size = Look(DatabaseSize.Of);
        if (size.Used <= options.MaxDatabaseBytes) return false;

        var (now, pressure) = (time.GetUtcNow(), ((double)size.Used / options.MaxDatabaseBytes) - 1);
        var found = Look(reader => kinds
            .Select(kind => (Kind: kind, OldestAt: kind.OldestAt(reader)))
            .OrderByDescending(one => one.OldestAt is { } at ? (now - at) / one.Kind.Limit.Scale : -1)
            .Select(one => (one.Kind, one.OldestAt, Step: one.Kind.Next(reader, now, pressure)))
            .FirstOrDefault(one => one.Step is not null));
        var isTold = now < tellNext && now > tellNext - TellEvery;
        if (!isTold) tellNext = now + TellEvery;
        if (found.Step is not { } step)
        {
            if (!isTold) NothingLeft(size.Used, options.MaxDatabaseBytes);
            return false;
        }
        if (!isTold) MakesRoom(size.Used, options.MaxDatabaseBytes, found.Kind.Kind, found.OldestAt);
        await RunAsync(found.Kind, step, cancellation);
        return true;
    }

    /// <summary>Gives free pages back to the disk where there are many: after a bound was lowered, not from day to day.</summary>
    private async Task<bool> GiveBackAsync(CancellationToken cancellation)
    {
        var size = Look(DatabaseSize.Of);
        if (!size.CanShrink || size.FreePages <= Math.Max(SparePages, size.Pages / 10)) return false;
        await RunAsync(null, new(0, _ =>
        {
            giveBack.Value.Run();
            return 0;
        }), cancellation);
        return true;
    }

    private async Task RunAsync(IRetained? kind, RetentionStep step, CancellationToken cancellation)
    {
        var before = writer.Written;
        var (removed, spent) = await writer.RunAsync(async () =>
        {
            var clock = new StepTime(StepLength);
            var some = step.Remove(clock);
            if (some > 0 && step.Then is { } then) await then();
            return (some, clock.Spent);
        }, cancellation);
        if (kind is not null) report.Removed(kind.Kind, removed);
        if (writer.Written > before + 1) await Task.Delay(RestAfter(spent, step.Over), Rhythm, cancellation);
    }

    /// <summary>So long that the steps take their part of the writer's time: more of it where removing cannot keep up.</summary>
    private TimeSpan RestAfter(TimeSpan spent, double over)
    {
        var share = Math.Min(0.5, options.WriterShare * (over > 0.25 ? 5 : over > 0.05 ? 2.5 : 1));
        return spent * ((1 / share) - 1);
    }

    /// <summary>Who follows the journal and is about to lose what he has not read.</summary>
    private void WarnWhoLags()
    {
        var limit = options.Journal;
        var edge = Look(reader =>
        {
            var byAge = limit.MaxAge > TimeSpan.Zero ? RetentionMarks.Reached(reader, JournalRetention.KindName, time.GetUtcNow() - (limit.MaxAge * (1 - Near))) : 0;
            var byCount = limit.MaxCount > 0 ? reader.ExecuteScalar<long>(Journal.Journal.ReadHead) - (long)(limit.MaxCount * (1 - Near)) : 0;
            return Math.Max(byAge, byCount);
        });
        foreach (var engine in desk.All)
            if (engine.State.Position >= edge) warned.Remove(engine.Consumer.Name);
            else if (warned.Add(engine.Consumer.Name)) Lags(engine.Consumer.Name, engine.Lag, engine.State.Position + 1, limit.MaxAge);
    }

    private T Look<T>(Func<SqliteConnection, T> look)
    {
        using var reader = database.OpenForReading();
        using var snapshot = reader.BeginTransaction(deferred: true);
        return look(reader);
    }

    [LoggerMessage(LogLevel.Error, "What is too old could not be removed and is tried again in {Pause}")]
    private partial void Failed(Exception fault, TimeSpan pause);

    [LoggerMessage(LogLevel.Warning, "The database has {Used} bytes in use, more than Retention:MaxDatabaseBytes ({Bound}): the oldest goes before its MaxAge. Began with {Kind}, kept since {Oldest}")]
    private partial void MakesRoom(long used, long bound, string kind, DateTimeOffset? oldest);

    [LoggerMessage(LogLevel.Error, "The database has {Used} bytes in use, more than Retention:MaxDatabaseBytes ({Bound}), and nothing is left that may be removed: devices and their names stay. Raise the bound or forget devices")]
    private partial void NothingLeft(long used, long bound);

    [LoggerMessage(LogLevel.Warning, "The handler {Handler} is {Lag} events behind, and retention is about to remove those from {From} on, which it has not read (Retention:Journal:MaxAge is {MaxAge}). What it misses is counted")]
    private partial void Lags(string handler, long lag, long from, TimeSpan maxAge);
}
