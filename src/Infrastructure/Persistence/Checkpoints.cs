using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using static SQLitePCL.raw;

namespace WebhookService.Infrastructure.Persistence;

/// <summary>
/// Moves the pages of the write-ahead log to their place in the file (a checkpoint) while the writer goes on. SQLite itself does that at the end of a
/// commit, and all senders wait for it. But the log begins anew only when all of it was moved and nothing is written meanwhile: so a thread and a
/// connection of their own move nearly all of it, and the writer the rest between two transactions (decision 0019).
/// </summary>
/// <param name="limit">Pages that the log gathers before they are moved.</param>
internal sealed unsafe partial class Checkpoints(Database database, ILogger<Checkpoints> logger, int limit = Checkpoints.Usual)
{
    /// <summary>
    /// Pages that change often are moved once for many commits: with SQLite's own 1,000 nearly every commit of a busy service would have its pages moved
    /// at once.
    /// </summary>
    public const int Usual = 8_000;

    /// <summary>Pages that are left to the writer: beside the sync that it takes to move them, they don't count.</summary>
    private const int Few = 200;

    /// <summary>What is written meanwhile is moved likewise, so often at most.</summary>
    private const int Rounds = 4;

    /// <summary>Where somebody read the log, so that it could not begin anew, this part of the limit more is enough to try again.</summary>
    private const int PartToTryAgain = 64;

    /// <summary>The same where so much is needed by a reader that a few pages more make no difference.</summary>
    private const int PartToWait = 8;

    /// <summary>How many pages the log holds. SQLite writes it with each commit, so it stays where it is.</summary>
    private readonly int[] pages = GC.AllocateArray<int>(1, pinned: true);

    private int before;
    private int due;
    private Thread? mover;
    private bool isMostMoved;
    private bool isAnew; // since the mover was started

    /// <summary>Has the writer's connection tell how long the log is. It moves nothing of its own accord from now on.</summary>
    public void Watch(SqliteConnection writer)
    {
        due = limit;
        sqlite3_wal_hook(writer.Handle!.DangerousGetHandle(), &Told, Unsafe.AsPointer(ref pages[0]));
    }

    /// <summary>To be called by the writer between two transactions.</summary>
    public void Between(SqliteConnection writer)
    {
        var now = pages[0];
        if (now < before) (due, isAnew, isMostMoved) = (limit, true, false);
        before = now;
        if (mover is null)
        {
            if (now >= due && (isMostMoved || !Start(writer))) MoveRest(writer, now);
        }
        else if (!mover.IsAlive || now >= due + limit) // a writer that is so much faster than the disk waits
        {
            mover.Join();
            mover = null;
            if (!isAnew) MoveRest(writer, now);
        }
    }

    /// <summary>To be called by the writer before it closes its connection: waits for what is moved just then.</summary>
    public void End() => mover?.Join();

    /// <summary>False if the writer has to move all itself.</summary>
    private bool Start(SqliteConnection writer)
    {
        if (SqliteFile.HasMoved(writer)) // what lies where it was would be taken for the file that this log belongs to
        {
            FileHasMoved(database.Path);
            return false;
        }
        try
        {
            var thread = new Thread(MoveMost) { Name = "checkpoint", IsBackground = true };
            thread.Start();
            (mover, isAnew) = (thread, false);
            return true;
        }
        catch (OutOfMemoryException fault) // the system has no thread for it
        {
            NotMoved(fault);
            return false;
        }
    }

    private void MoveMost()
    {
        try
        {
            using var own = database.OpenForMoving();
            for (var round = 0; round < Rounds; round++)
            {
                if (Move(own) is not { } log) return;
                if (Volatile.Read(ref pages[0]) - log.Moved <= Few) break;
            }
            SqliteFile.Sync(own); // SQLite does that only once all is moved, and the writer would wait for all of it
        }
        catch (SqliteException fault)
        {
            NotMoved(fault);
        }
    }

    private void MoveRest(SqliteConnection writer, int now)
    {
        isMostMoved = Move(writer) is { } log && log.Pages - log.Moved <= Few;
        due = now + (limit / (isMostMoved ? PartToTryAgain : PartToWait));
    }

    /// <summary>Moves what no reader needs in the log any more, and waits for none.</summary>
    /// <returns>How many pages the log has, and how many of them are where they belong; null if it failed, or somebody else is at it.</returns>
    private (int Pages, int Moved)? Move(SqliteConnection connection)
    {
        var result = sqlite3_wal_checkpoint_v2(connection.Handle, "main", SQLITE_CHECKPOINT_PASSIVE, out var all, out var moved);
        if (result is SQLITE_OK) return (all, moved);
        if (result is not (SQLITE_BUSY or SQLITE_LOCKED)) NotMoved(new SqliteException(sqlite3_errmsg(connection.Handle).utf8_to_string(), result));
        return null;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Told(void* pages, nint connection, byte* database, int now)
    {
        Volatile.Write(ref *(int*)pages, now);
        return SQLITE_OK;
    }

    [DllImport(SqliteBinding.Library)]
    private static extern void* sqlite3_wal_hook(nint connection, delegate* unmanaged[Cdecl]<void*, nint, byte*, int, int> told, void* argument);

    [LoggerMessage(LogLevel.Warning, "Pages of the write-ahead log could not be moved to their place in the database; that is tried again, and the log grows until it succeeds. See that the disk has space and is sound")]
    private partial void NotMoved(Exception fault);

    [LoggerMessage(LogLevel.Warning, "The database file is no longer at {Path}: the service goes on with the file it has open. Stop the service before you move or exchange its database")]
    private partial void FileHasMoved(string path);
}
