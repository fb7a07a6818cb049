using System.Runtime.InteropServices;

namespace WebhookService.Infrastructure.Persistence;

/// <summary>
/// SQLite's functions that the writer calls some fifty times for one event. Through SQLitePCLRaw each takes and gives back a safe handle, and a text is
/// copied into an array of its own; that costs more than what they do. Only the writer's thread uses its statements, and they are disposed of when it
/// has ended.
/// </summary>
internal static class SqliteBinding
{
    /// <summary>The library that comes with Microsoft.Data.Sqlite.</summary>
    public const string Library = "e_sqlite3";

    /// <summary>Tells SQLite to copy the value before it returns.</summary>
    private const nint Transient = -1;

    public static int Text(nint statement, int place, ReadOnlySpan<byte> utf8) =>
        sqlite3_bind_text(statement, place, in MemoryMarshal.GetReference(utf8), utf8.Length, Transient);

    public static int Blob(nint statement, int place, ReadOnlySpan<byte> value) =>
        sqlite3_bind_blob(statement, place, in MemoryMarshal.GetReference(value), value.Length, Transient);

    public static bool IsNullIn(nint statement, int column) => sqlite3_column_type(statement, column) is SQLitePCL.raw.SQLITE_NULL;

    /// <summary>The bytes of a text as they are stored, until the statement goes on: unlike `sqlite3_column_text` this adds no zero to them, for which it may copy them.</summary>
    public static unsafe ReadOnlySpan<byte> TextIn(nint statement, int column)
    {
        var bytes = sqlite3_column_blob(statement, column);
        return new((void*)bytes, sqlite3_column_bytes(statement, column));
    }

    // Those with SuppressGCTransition read or write a few words and at most free what was bound before, so the collector need not be told that the thread is away. They wait for nobody,
    // because no other thread uses the connection, and call nothing back.

    [DllImport(Library, EntryPoint = "sqlite3_bind_int64"), SuppressGCTransition]
    public static extern int Number(nint statement, int place, long value);

    [DllImport(Library, EntryPoint = "sqlite3_bind_null"), SuppressGCTransition]
    public static extern int Null(nint statement, int place);

    [DllImport(Library, EntryPoint = "sqlite3_bind_zeroblob")]
    public static extern int Zeros(nint statement, int place, int length);

    [DllImport(Library, EntryPoint = "sqlite3_step")]
    public static extern int Step(nint statement);

    [DllImport(Library, EntryPoint = "sqlite3_reset")]
    public static extern int Reset(nint statement);

    /// <summary>Of the row at which the statement stands; 0 where it is null.</summary>
    [DllImport(Library, EntryPoint = "sqlite3_column_int64"), SuppressGCTransition]
    public static extern long NumberIn(nint statement, int column);

    [DllImport(Library), SuppressGCTransition]
    private static extern int sqlite3_column_type(nint statement, int column);

    [DllImport(Library), SuppressGCTransition]
    private static extern nint sqlite3_column_blob(nint statement, int column);

    [DllImport(Library), SuppressGCTransition]
    private static extern int sqlite3_column_bytes(nint statement, int column);

    [DllImport(Library)]
    private static extern int sqlite3_bind_text(nint statement, int place, in byte value, int length, nint destructor);

    [DllImport(Library)]
    private static extern int sqlite3_bind_blob(nint statement, int place, in byte value, int length, nint destructor);
}
