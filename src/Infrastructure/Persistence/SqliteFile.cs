using System.Runtime.InteropServices;
using Microsoft.Data.Sqlite;

namespace WebhookService.Infrastructure.Persistence;

/// <summary>A file as SQLite and its VFS see it: `sqlite3_file` of sqlite3.h.</summary>
internal unsafe struct SqliteFile
{
    // From sqlite3.h.
    private const int Ok = 0;
    private const int TellFile = 7;
    private const int TellWhetherMoved = 20;
    private const int WithData = 2;

    public Operations* Methods;

    /// <summary>Whether the database of this connection is no longer where it was opened.</summary>
    public static bool HasMoved(SqliteConnection connection)
    {
        int moved;
        return Control(connection, TellWhetherMoved, &moved) == Ok && moved != 0;
    }

    /// <summary>
    /// Has the disk take what was written to the database, by the connection's own descriptor of it: to close another one would take the process its locks
    /// (https://sqlite.org/howtocorrupt.html).
    /// </summary>
    /// <exception cref="SqliteException">It cannot.</exception>
    public static void Sync(SqliteConnection connection)
    {
        SqliteFile* file;
        var result = Control(connection, TellFile, &file);
        if (result == Ok) result = file->Methods->Sync(file, WithData);
        if (result != Ok) throw new SqliteException("The database could not be synced.", result);
    }

    private static int Control(SqliteConnection connection, int operation, void* argument) =>
        sqlite3_file_control(connection.Handle!.DangerousGetHandle(), database: null, operation, argument);

    [DllImport(SqliteBinding.Library)]
    private static extern int sqlite3_file_control(nint connection, byte* database, int operation, void* argument);

    /// <summary>`sqlite3_io_methods`, version 1.</summary>
    public struct Operations
    {
        public int Version;
        public delegate* unmanaged[Cdecl]<SqliteFile*, int> Close;
        public delegate* unmanaged[Cdecl]<SqliteFile*, byte*, int, long, int> Read;
        public delegate* unmanaged[Cdecl]<SqliteFile*, byte*, int, long, int> Write;
        public delegate* unmanaged[Cdecl]<SqliteFile*, long, int> Truncate;
        public delegate* unmanaged[Cdecl]<SqliteFile*, int, int> Sync;
        public delegate* unmanaged[Cdecl]<SqliteFile*, long*, int> Size;
        public delegate* unmanaged[Cdecl]<SqliteFile*, int, int> Lock;
        public delegate* unmanaged[Cdecl]<SqliteFile*, int, int> Unlock;
        public delegate* unmanaged[Cdecl]<SqliteFile*, int*, int> IsReserved;
        public delegate* unmanaged[Cdecl]<SqliteFile*, int, void*, int> Control;
        public delegate* unmanaged[Cdecl]<SqliteFile*, int> SectorSize;
        public delegate* unmanaged[Cdecl]<SqliteFile*, int> Traits;
    }
}
