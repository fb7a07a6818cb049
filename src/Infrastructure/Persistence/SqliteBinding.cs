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
    private const string Library = "e_sqlite3";

    /// <summary>Tells SQLite to copy the value before it returns.</summary>
    private const nint Transient = -1;

    public static int Text(nint statement, int place, ReadOnlySpan<byte> utf8) =>
        sqlite3_bind_text(statement, place, in MemoryMarshal.GetReference(utf8), utf8.Length, Transient);

    public static int Blob(nint statement, int place, ReadOnlySpan<byte> value) =>
        sqlite3_bind_blob(statement, place, in MemoryMarshal.GetReference(value), value.Length, Transient);

    // These two write a few words and free what was bound before, so the collector need not be told that the thread is away. They wait for nobody,
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

    [DllImport(Library)]
    private static extern int sqlite3_bind_text(nint statement, int place, in byte value, int length, nint destructor);

    [DllImport(Library)]
    private static extern int sqlite3_bind_blob(nint statement, int place, in byte value, int length, nint destructor);
}
